# SPDX-License-Identifier: Apache-2.0
"""The mail stand-in is a real SMTP server to smtplib, and shows each fault it is told."""

from __future__ import annotations

import json
import smtplib
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest

from blackstart.sandbox.faults import Fault
from blackstart.sandbox.http_loop import Loop
from blackstart.sandbox.mail_standin import MailStandin


@pytest.fixture
def mail(tmp_path: Path) -> Iterator[MailStandin]:
    mail = MailStandin("127.0.0.1", 0, tmp_path / "mail")
    yield mail
    mail.stop()


def message(*recipients: str, subject: str = "FlowFuse is down") -> EmailMessage:
    fresh = EmailMessage()
    fresh["From"] = "status@example.com"
    fresh["To"] = ", ".join(recipients)
    fresh["Subject"] = subject
    fresh["Message-ID"] = "<key-1@blackstart>"
    fresh.set_content("We are on it.\n")
    return fresh


def send(mail: MailStandin, *recipients: str, timeout_s: float = 5) -> dict[str, object]:
    with smtplib.SMTP("127.0.0.1", mail.port, timeout=timeout_s) as client:
        refused: dict[str, object] = {**client.send_message(message(*recipients))}
    return refused


def kept(tmp_path: Path) -> list[dict[str, object]]:
    return [json.loads(file.read_text()) for file in sorted((tmp_path / "mail").glob("*.json"))]


def test_an_accepted_message_is_kept_whole(mail: MailStandin, tmp_path: Path) -> None:
    assert send(mail, "a@example.com", "b@example.com") == {}
    (one,) = kept(tmp_path)
    assert one["rcpt_tos"] == ["a@example.com", "b@example.com"]
    assert one["mail_from"] == "status@example.com"
    assert (one["message_id"], one["subject"]) == ("<key-1@blackstart>", "FlowFuse is down")
    assert b"We are on it." in (tmp_path / "mail" / "000001.eml").read_bytes()


def test_fault_refuse_keeps_the_others(mail: MailStandin, tmp_path: Path) -> None:
    mail.faults.add(Fault(kind="refuse", target="gone@example.com", times=None))
    refused = send(mail, "gone@example.com", "b@example.com")
    assert refused == {"gone@example.com": (550, b"5.1.1 <gone@example.com>: no such mailbox")}
    assert [one["rcpt_tos"] for one in kept(tmp_path)] == [["b@example.com"]]


def test_fault_temporary_is_over_after_its_times(mail: MailStandin, tmp_path: Path) -> None:
    mail.faults.add(Fault(kind="temporary"))
    with pytest.raises(smtplib.SMTPRecipientsRefused) as failure:
        send(mail, "a@example.com")
    assert failure.value.recipients["a@example.com"][0] == 451
    assert kept(tmp_path) == []
    assert send(mail, "a@example.com") == {}


def test_fault_drop_keeps_the_message_without_saying_so(mail: MailStandin, tmp_path: Path) -> None:
    mail.faults.add(Fault(kind="drop"))
    with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
        send(mail, "a@example.com")
    assert len(kept(tmp_path)) == 1
    assert send(mail, "a@example.com") == {}


def test_fault_slow_outlasts_an_impatient_client(mail: MailStandin, tmp_path: Path) -> None:
    mail.faults.add(Fault(kind="slow", hold_s=3))
    with pytest.raises((TimeoutError, smtplib.SMTPServerDisconnected)):
        send(mail, "a@example.com", timeout_s=0.3)
    assert len(kept(tmp_path)) == 1


@pytest.mark.filterwarnings("ignore:Requiring AUTH while not requiring TLS")
def test_with_a_password_only_who_knows_it_may_send(tmp_path: Path) -> None:
    mail = MailStandin("127.0.0.1", 0, tmp_path / "mail", user="bs", password="right")
    try:
        with smtplib.SMTP("127.0.0.1", mail.port, timeout=5) as client:
            with pytest.raises(smtplib.SMTPSenderRefused):
                client.send_message(message("a@example.com"))
            with pytest.raises(smtplib.SMTPAuthenticationError):
                client.login("bs", "wrong")
            client.login("bs", "right")
            client.send_message(message("a@example.com"))
    finally:
        mail.stop()
    assert len(kept(tmp_path)) == 1


def test_faults_are_given_and_ended_over_http(mail: MailStandin) -> None:
    control = Loop("127.0.0.1", 0, mail.control)
    address = f"http://127.0.0.1:{control.port}/_control/faults"
    try:
        assert httpx.post(address, json={"kind": "refuse", "times": None}).status_code == 200
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            send(mail, "a@example.com")
        assert httpx.get(address).json()[0]["kind"] == "refuse"
        assert httpx.delete(address).status_code == 200
        assert send(mail, "a@example.com") == {}
        assert httpx.post(address, json={"kind": "sulk"}).status_code == 400
    finally:
        control.stop()
