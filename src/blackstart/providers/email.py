# SPDX-License-Identifier: Apache-2.0
"""E-mail as a channel: one message to one person over SMTP (RFC 5321), as a machine writes it.

The moment that counts is the end of DATA: before it the server has taken nothing and the message
may be sent again; after it a lost answer leaves us uncertain, and SMTP has no way to ask. The
Message-ID is made of the delivery's key, so that a second copy is recognised as the same message.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import smtplib
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, parseaddr
from typing import ClassVar

from blackstart.ports.channel import Accepted, Delivery, Lookup, Message, Rejected, Uncertain
from blackstart.ports.secrets import SecretRef
from blackstart.world.clock import SystemClock

_ADDRESS = re.compile(r"<?[^\s<>@]+@[^\s<>@]+>?")
_AGAIN_AFTER_S = 5.0
_NO_SECRET = SecretRef("")
Reveal = Callable[[SecretRef], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Smtp:
    """Send a mail to one person through an SMTP server.

    `from_` (written `from` in the plan) is the sender's address. With `starttls` the connection is
    encrypted, and the server's certificate is checked against `ca_certificate` (empty: those that
    the system trusts). `user` and `password` log in, which is refused without `starttls`.
    """

    address_kind: ClassVar[str] = "email"
    can_look_up: ClassVar[bool] = False

    host: str
    from_: str
    port: int = 25
    starttls: bool = False
    ca_certificate: str = ""
    user: str = ""
    password: SecretRef = _NO_SECRET
    timeout_s: float = 5.0

    def send(self, message: Message, key: str, address: str, reveal: Reveal) -> Delivery:
        """Hand the message to the server."""
        sender, recipient = parseaddr(self.from_)[1], parseaddr(address)[1]
        if "@" not in sender or "@" not in recipient:
            return Rejected(reason="sender or recipient is not a mail address", again=False)
        try:
            letter = compose(message, key, self.from_, recipient)
        except (ValueError, UnicodeError) as wrong:
            return Rejected(reason=f"no mail can be made of it: {wrong}", again=False)
        if self.user and not self.starttls:
            return Rejected(reason="a log-in without starttls would show the password", again=False)
        return self._deliver(letter, sender, recipient, reveal)

    def lookup(self, key: str, address: str, reveal: Reveal) -> Lookup:
        """Return Uncertain: SMTP cannot be asked what became of a message."""
        return Uncertain(reason="a mail server cannot be asked what became of a message")

    def _deliver(self, letter: bytes, sender: str, recipient: str, reveal: Reveal) -> Delivery:
        try:
            # As a context manager it would say QUIT, and wait for the answer of a dead server.
            with contextlib.closing(self._connect(sender)) as server:
                refusal = self._announce(server, sender, recipient, reveal)
                return refusal or _hand_over(server, letter)
        except smtplib.SMTPResponseException as no:
            return _refused(no.smtp_code, no.smtp_error)
        except smtplib.SMTPNotSupportedError as lacking:
            return Rejected(reason=f"the mail server cannot do that: {lacking}", again=False)
        except (OSError, smtplib.SMTPException) as broken:
            why = str(broken) or type(broken).__name__
            return Rejected(
                reason=f"the mail server {self.host} was not reached or broke off: {why}",
                again=True,
                after_s=_AGAIN_AFTER_S,
            )

    def _connect(self, sender: str) -> smtplib.SMTP:
        own_name = sender.rpartition("@")[2]
        return smtplib.SMTP(self.host, self.port, local_hostname=own_name, timeout=self.timeout_s)

    def _announce(
        self, server: smtplib.SMTP, sender: str, recipient: str, reveal: Reveal
    ) -> Rejected | None:
        """Name sender and recipient and ask to send the text; returns what the server refused."""
        if self.starttls:
            trusted = ssl.create_default_context(cafile=self.ca_certificate or None)
            server.starttls(context=trusted)
        server.ehlo_or_helo_if_needed()
        if self.user:
            server.login(self.user, reveal(self.password).rstrip("\r\n"))
        for line, good in (
            (f"MAIL FROM:<{sender}>", {250}),
            (f"RCPT TO:<{recipient}>", {250, 251}),
            ("DATA", {354}),
        ):
            code, said = server.docmd(line)
            if code not in good:
                return _refused(code, said)
        return None


def compose(message: Message, key: str, sender: str, recipient: str) -> bytes:
    """Return the mail as the bytes that travel, its Message-ID made of the key.

    Raises ValueError or UnicodeError for an address that no header can hold.
    """
    letter = EmailMessage(policy=SMTP)
    letter["From"] = sender
    letter["To"] = recipient
    letter["Subject"] = " ".join(message.subject.split())
    letter["Date"] = format_datetime(SystemClock().now())
    letter["Message-ID"] = message_id_of(key, sender)
    letter["Auto-Submitted"] = "auto-generated"  # RFC 3834: no holiday answers, please
    letter["X-Blackstart-Incident"] = message.incident
    letter.set_content(message.body.rstrip() + "\n")
    return letter.as_bytes()


def message_id_of(key: str, sender: str) -> str:
    """Return the Message-ID of a delivery: the same for each of its attempts."""
    domain = parseaddr(sender)[1].rpartition("@")[2]
    return f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@{domain}>"


def _hand_over(server: smtplib.SMTP, letter: bytes) -> Delivery:
    """Send the text after DATA was granted, and read what became of it."""
    quoted = re.sub(rb"(?m)^\.", b"..", letter)  # RFC 5321 §4.5.2
    server.send(quoted if quoted.endswith(b"\r\n") else quoted + b"\r\n")
    try:
        server.send(b".\r\n")
        code, said = server.getreply()
    except (OSError, smtplib.SMTPServerDisconnected) as broken:
        why = str(broken) or type(broken).__name__
        return Uncertain(reason=f"the text was sent and the server's answer was lost: {why}")
    if code != 250:
        return _refused(code, said)
    return Accepted(receipt=_words_of(said) or "250")


def _words_of(said: bytes | str) -> str:
    """Return the server's words without addresses: they go into the record, which has none."""
    words = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return _ADDRESS.sub("(an address)", " ".join(words.split()))[:200]


def _refused(code: int, said: bytes | str) -> Rejected:
    return Rejected(
        reason=f"the mail server answered {code} {_words_of(said)}",
        again=not 500 <= code < 600,
        after_s=_AGAIN_AFTER_S,
    )


PROVIDES: Mapping[str, type] = {"smtp": Smtp}
