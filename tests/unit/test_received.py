# SPDX-License-Identifier: Apache-2.0
"""What arrived elsewhere is read whole, and a line still being written is left alone."""

from __future__ import annotations

import smtplib
from email.message import EmailMessage
from pathlib import Path

import httpx
from slack_sdk import WebClient

from blackstart.sandbox.alert_keeper import AlertKeeper
from blackstart.sandbox.http_loop import Loop
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.mail_standin import MailStandin
from blackstart.sandbox.received import alerts, central_log, mail_texts, mails, slack_messages
from blackstart.sandbox.slack_standin import SlackStandin
from blackstart.sandbox.slack_workspace import User, seed_workspace


def test_nothing_arrived_yet(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    assert (slack_messages(layout), mails(layout), alerts(layout)) == ((), (), ())
    assert central_log(layout) == ""


def test_what_the_keepers_kept_is_read_back(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    (layout.elsewhere / "alerts").mkdir(parents=True)
    bot = User(id="U1", name="bot", is_bot=True)
    seed_workspace(layout.elsewhere / "slack", tokens={"t": "U1"}, users=(bot,), channels=("ops",))
    slack = Loop("127.0.0.1", 0, SlackStandin(layout.elsewhere / "slack").answer)
    keeper = Loop("127.0.0.1", 0, AlertKeeper(layout.elsewhere / "alerts" / "alerts.jsonl").answer)
    mail = MailStandin("127.0.0.1", 0, layout.elsewhere / "mail")
    try:
        client = WebClient(token="t", base_url=f"http://127.0.0.1:{slack.port}/api/")
        first = client.chat_postMessage(channel="ops", text="down")
        client.chat_update(channel=first["channel"], ts=first["ts"], text="up")
        alert = {"alerts": [{"status": "firing", "labels": {"nonce": "n1"}}]}
        httpx.post(f"http://127.0.0.1:{keeper.port}/", json=alert).raise_for_status()
        note = EmailMessage()
        note["To"], note["From"], note["Subject"] = "a@example.com", "b@example.com", "down"
        note.set_content("all of it")
        with smtplib.SMTP("127.0.0.1", mail.port, timeout=5) as smtp:
            smtp.send_message(note)
    finally:
        slack.stop()
        keeper.stop()
        mail.stop()
    told = [(line.event, line.channel_name, line.message.text) for line in slack_messages(layout)]
    assert told == [("posted", "ops", "down"), ("updated", "ops", "up")]
    assert [one.subject for one in mails(layout)] == ["down"]
    assert b"all of it" in mail_texts(layout)[0]
    assert [one.labels for one in alerts(layout)] == [{"nonce": "n1"}]
    with (layout.elsewhere / "alerts" / "alerts.jsonl").open("ab") as sink:
        sink.write(b'{"received_at": "half a li')
    assert len(alerts(layout)) == 1


def test_central_logs_are_read_host_by_host(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    (layout.elsewhere / "logs").mkdir(parents=True)
    (layout.elsewhere / "logs" / "b.log").write_text("from b\n")
    (layout.elsewhere / "logs" / "a.log").write_text("from a\n")
    assert central_log(layout) == "from a\nfrom b\n"
