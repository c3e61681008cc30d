# SPDX-License-Identifier: Apache-2.0
"""What users were told, by the record and by witnesses that share nothing with it.

The witnesses are the files of the mail server and those of the published status page.
"""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Iterator

from blackstart.model import events as ev
from blackstart.model.incident import Incident
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.received import mail_texts, mails, status_page

GOOD_NEWS = "is available again"
_RESOLVED = re.compile(rb'"status":\s*"resolved"')


def faults_of_telling(layout: Layout, incident: Incident) -> tuple[str, ...]:
    """Compare what the record says was mailed with what the mail server holds."""
    kept = mails(layout)
    faults = []
    for kind, words in (("outage", "unavailable"), ("recovered", GOOD_NEWS)):
        arrived = sum(words in mail.subject and "status@" in mail.mail_from for mail in kept)
        settled = [
            notice.settled
            for notice in incident.notices.values()
            if notice.settled and notice.queued.kind == kind and notice.queued.channel == "users"
        ]
        accepted = sum(one.accepted for one in settled)
        uncertain = sum(one.uncertain for one in settled)  # sent, and the answer was lost
        if not accepted <= arrived <= accepted + uncertain:
            faults.append(
                f"the record says {accepted} users were sent '{kind}' ({uncertain} uncertain), "
                f"the mail server holds {arrived}"
            )
    return tuple(faults)


def false_news(layout: Layout, facts: tuple[ev.Fact, ...]) -> tuple[str, ...]:
    """Return one sentence for each place that says that all is well; () when none does.

    For a recovery that had to stop. Each witness is asked by itself: one that is away says nothing
    in favour of the others.
    """
    return (*_in_record(facts), *_in_mail(layout), *_on_page(layout))


def _in_record(facts: tuple[ev.Fact, ...]) -> Iterator[str]:
    for fact in facts:
        event = fact.event
        if isinstance(event, ev.NoticeQueued) and event.kind == "recovered" and event.recipients:
            yield f"the record has '{event.subject}' sent over {event.channel}"


def _in_mail(layout: Layout) -> Iterator[str]:
    if not (layout.elsewhere / "mail").is_dir():
        yield "the mail server left no files, so nobody can say what was mailed"
        return
    told = sum(GOOD_NEWS in _words_of(content) for content in mail_texts(layout))
    if told:
        yield f"the mail server holds {told} mails that say it {GOOD_NEWS}"


def _on_page(layout: Layout) -> Iterator[str]:
    files = status_page(layout)
    if any(GOOD_NEWS.encode() in content for content in files):
        yield f"the status page says that it {GOOD_NEWS}"
    if any(_RESOLVED.search(content) for content in files):
        yield "the status page shows the incident as resolved"


def _words_of(content: bytes) -> str:
    """Return subject and text of a mail, decoded, on one line."""
    mail = email.message_from_bytes(content, policy=email.policy.default)
    part = mail.get_body(("plain", "html"))
    text = part.get_content() if part else ""
    return " ".join(f"{mail['Subject']} {text}".split())
