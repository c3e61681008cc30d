# SPDX-License-Identifier: Apache-2.0
"""That nobody was told all is well is believed only when record, mail and page agree."""

from __future__ import annotations

import smtplib
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path

import pytest

from blackstart.cli.drill import Choices, judge_injection
from blackstart.cli.telling import false_news, faults_of_telling
from blackstart.model.errors import Stopped, WorldFailed
from blackstart.model.incident import fold
from blackstart.ports.channel import Message
from blackstart.providers.statuspage import Static
from blackstart.reports.phrases import Tone
from blackstart.reports.record import DrillRecord
from blackstart.reports.scorecard import score
from blackstart.reports.verdict import judge
from blackstart.sandbox.injections import injection_named
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.mail_standin import MailStandin
from tests.sample_facts import complete_drill, stopped_drill
from tests.sample_records import stopped_record

DOWN = "FlowFuse Cloud is unavailable"
BACK = "FlowFuse Cloud is available again"
STOPPED = stopped_drill()


def send_mail(layout: Layout, subject: str, text: str) -> None:
    """Send one mail to the real mail stand-in, which keeps it in the run's folder."""
    server = MailStandin("127.0.0.1", 0, layout.elsewhere / "mail")
    note = EmailMessage()
    note["To"], note["From"], note["Subject"] = "a@example.com", "status@flowfuse.test", subject
    note.set_content(text, cte="base64")
    try:
        with smtplib.SMTP("127.0.0.1", server.port, timeout=5) as smtp:
            smtp.send_message(note)
    finally:
        server.stop()


def publish(layout: Layout, subject: str, tone: str) -> None:
    """Publish on the real status page."""
    page = Static(publish=(f"dir:{layout.elsewhere / 'status'}",))
    message = Message(subject=subject, body="Read on.", kind="k", incident="i1", tone=tone)
    page.send(message, f"{subject}{tone}", "", lambda ref: ref.name)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    found = Layout(tmp_path)
    found.elsewhere.mkdir()
    send_mail(found, DOWN, "We are on it.")
    publish(found, DOWN, "bad")
    return found


def test_bad_news_is_no_false_news(layout: Layout) -> None:
    assert false_news(layout, STOPPED) == ()


def test_the_record_gives_it_away(layout: Layout) -> None:
    assert "the record has" in false_news(layout, complete_drill())[0]


@pytest.mark.parametrize(("subject", "text"), [(BACK, "Log in."), ("News", f"{BACK}.\nLog in.")])
def test_a_kept_mail_gives_it_away(layout: Layout, subject: str, text: str) -> None:
    send_mail(layout, subject, text)
    assert false_news(layout, STOPPED) == (
        "the mail server holds 1 mails that say it is available again",
    )


def test_a_mail_server_that_is_away_is_no_witness(tmp_path: Path) -> None:
    assert "nobody can say" in false_news(Layout(tmp_path), STOPPED)[0]


def test_the_published_page_gives_it_away(layout: Layout) -> None:
    publish(layout, BACK, "neutral")
    assert false_news(layout, STOPPED) == ("the status page says that it is available again",)


def test_a_page_that_shows_it_resolved_gives_it_away(layout: Layout) -> None:
    publish(layout, "All done", "good")
    assert false_news(layout, STOPPED) == ("the status page shows the incident as resolved",)


def choices(*, expects_stop: bool) -> Choices:
    return Choices(
        system="flowfuse",
        disaster="production",
        injection=injection_named("wrong-credential-secret"),
        decide="auto",
        delay_s=0.0,
        soak_s=0.0,
        keep=False,
        expects_stop=expects_stop,
        reports=Path("unused"),
    )


def with_news(record: DrillRecord, *news: str) -> DrillRecord:
    assert record.injection
    return replace(record, injection=replace(record.injection, false_news=news))


def test_a_stop_at_the_right_place_is_not_enough(capsys: pytest.CaptureFixture[str]) -> None:
    good = stopped_record()
    judge_injection(good, choices(expects_stop=True))
    assert "nobody was told all is well" in capsys.readouterr().out
    with pytest.raises(Stopped):
        judge_injection(good, choices(expects_stop=False))
    with pytest.raises(WorldFailed, match="Users were told that all is well: the page says so"):
        judge_injection(with_news(good, "the page says so"), choices(expects_stop=True))


def test_the_report_says_so_too() -> None:
    record = with_news(stopped_record(), "the page says so")
    verdict = judge(record, score(record.facts, record.runbooks, record.objectives))
    assert verdict.tone is Tone.BAD
    assert "the page says so" in verdict.meaning


def test_a_mail_whose_answer_was_lost_may_have_arrived_and_no_other(layout: Layout) -> None:
    incident = fold(complete_drill())
    for uncertain, is_fault in ((1, False), (0, True)):
        for notice in incident.notices.values():
            if notice.settled and notice.queued.channel == "users":
                is_outage = notice.queued.kind == "outage"
                notice.settled = replace(
                    notice.settled, accepted=0, uncertain=uncertain if is_outage else 0
                )
        assert bool(faults_of_telling(layout, incident)) is is_fault
