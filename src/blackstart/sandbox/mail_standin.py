# SPDX-License-Identifier: Apache-2.0
"""A stand-in for the mail relay: a real SMTP server that keeps all it accepts and delivers nothing.

    python -m blackstart.sandbox.mail_standin --address A --port P --keep DIR
        [--user U --password-file F] [--control-port C]

Each accepted message is DIR/NNNNNN.eml with NNNNNN.json beside it. Faults are given by HTTP to the
control port: POST /_control/faults {kind, target: recipient or "*", times, hold_s}, DELETE to end:

    refuse       550 to the recipient          temporary    451 to the recipient
    drop         accept the message, then close the connection before the reply: uncertain
    slow         wait `hold_s` seconds before the reply to the message
"""

from __future__ import annotations

import argparse
import asyncio
import email.parser
import email.policy
import hmac
import threading
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import msgspec
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from blackstart.sandbox.faults import Faults
from blackstart.sandbox.http_loop import Call, Loop, Reply, in_json, wait_for_signal
from blackstart.world import files

KINDS = frozenset({"refuse", "temporary", "drop", "slow"})
_AT_RECIPIENT = frozenset({"refuse", "temporary"})
_AT_END = frozenset({"drop", "slow"})
_START_LIMIT_S = 5.0


class KeptMail(msgspec.Struct, frozen=True, kw_only=True):
    """What is written beside each message. `received_at` is UTC, ISO 8601."""

    received_at: str
    mail_from: str
    rcpt_tos: list[str]
    message_id: str
    subject: str


class MailStandin:
    """An SMTP server in a thread of its own."""

    def __init__(
        self,
        address: str,
        port: int,
        keep: Path,
        *,
        user: str = "",
        password: str = "",
    ) -> None:
        """Listen at once (port 0: a free one); with `user`, only to who knows the password."""
        keep.mkdir(parents=True, exist_ok=True)
        self.faults = Faults(KINDS)
        self._conversation = _Conversation(keep, self.faults)
        self._user, self._password = user, password
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        opening = asyncio.run_coroutine_threadsafe(self._open(address, port), self._loop)
        try:
            self._server = opening.result(timeout=_START_LIMIT_S)
        except BaseException:
            self._end_loop()
            raise

    @property
    def port(self) -> int:
        """The port it listens on."""
        return int(self._server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """End it; messages kept stay."""
        self._loop.call_soon_threadsafe(self._server.close)
        self._end_loop()

    def control(self, call: Call) -> Reply:
        """Return the answer to a request on the control port."""
        match call.verb, call.path:
            case "GET", "/_control/faults":
                return in_json(self.faults.waiting())
            case "DELETE", "/_control/faults":
                self.faults.clear()
            case "POST", "/_control/faults":
                try:
                    self.faults.add_from(call.body)
                except ValueError as wrong:
                    return in_json({"ok": False, "error": str(wrong)}, status=400)
            case _:
                return in_json({"ok": False, "error": "unknown control"}, status=404)
        return in_json({"ok": True})

    async def _open(self, address: str, port: int) -> asyncio.Server:
        called_by_aiosmtpd = SimpleNamespace(
            handle_RCPT=self._conversation.take_recipient,
            handle_DATA=self._conversation.take_message,
        )

        def start_session() -> SMTP:
            return SMTP(
                called_by_aiosmtpd,
                hostname="mail.elsewhere.test",
                authenticator=self._authenticate if self._user else None,
                auth_required=bool(self._user),
                auth_require_tls=False,
                enable_SMTPUTF8=True,
                loop=self._loop,
            )

        return await self._loop.create_server(start_session, host=address, port=port)

    def _authenticate(
        self, server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object
    ) -> AuthResult:
        del server, session, envelope, mechanism
        if not isinstance(given, LoginPassword):
            return AuthResult(success=False, handled=False)
        is_right = hmac.compare_digest(given.login, self._user.encode())
        is_right &= hmac.compare_digest(given.password, self._password.encode())
        return AuthResult(success=is_right, handled=False)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        for left in asyncio.all_tasks(self._loop):
            left.cancel()
        self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        self._loop.close()


class _Conversation:
    """What the server answers where a message or a fault decides."""

    def __init__(self, keep: Path, faults: Faults) -> None:
        self._keep = keep
        self._faults = faults
        self._number = len(list(keep.glob("*.eml")))

    async def take_recipient(
        self,
        server: SMTP,
        session: Session,
        envelope: Envelope,
        address: str,
        rcpt_options: list[str],
    ) -> str:
        del server, session, rcpt_options
        fault = self._faults.take(address, _AT_RECIPIENT)
        if fault is not None and fault.kind == "refuse":
            return f"550 5.1.1 <{address}>: no such mailbox"  # as real servers put it
        if fault is not None:
            return "451 4.3.0 try again later"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def take_message(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        del session
        self._keep_message(envelope)
        fault = next((f for to in envelope.rcpt_tos if (f := self._faults.take(to, _AT_END))), None)
        transport = server.transport
        if fault is not None and fault.kind == "drop":
            if isinstance(transport, asyncio.WriteTransport):
                transport.abort()
        elif fault is not None:
            await asyncio.sleep(fault.hold_s)
        return f"250 2.0.0 kept as {self._number:06d}"

    def _keep_message(self, envelope: Envelope) -> None:
        content = envelope.original_content or b""
        parser = email.parser.BytesHeaderParser(policy=email.policy.default)
        headers = parser.parsebytes(content)
        self._number += 1
        kept = KeptMail(
            received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            mail_from=envelope.mail_from or "",
            rcpt_tos=envelope.rcpt_tos,
            message_id=str(headers.get("Message-ID", "")),
            subject=str(headers.get("Subject", "")),
        )
        stem = self._keep / f"{self._number:06d}"
        files.write_durably(stem.with_suffix(".eml"), content, mode=0o644)
        files.write_durably(stem.with_suffix(".json"), msgspec.json.encode(kept), mode=0o644)


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="mail_standin")
    parser.add_argument("--address", required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--keep", type=Path, required=True)
    parser.add_argument("--user", default="")
    parser.add_argument("--password-file", type=Path)
    parser.add_argument("--control-port", type=int)
    chosen = parser.parse_args()
    if bool(chosen.user) != bool(chosen.password_file):
        parser.error("--user and --password-file go together")
    password = chosen.password_file.read_text("utf-8").strip() if chosen.user else ""
    mail = MailStandin(
        chosen.address, chosen.port, chosen.keep, user=chosen.user, password=password
    )
    control = None
    try:
        if chosen.control_port is not None:
            control = Loop(chosen.address, chosen.control_port, mail.control)
        wait_for_signal()
    finally:
        if control is not None:
            control.stop()
        mail.stop()


if __name__ == "__main__":
    main()
