# SPDX-License-Identifier: Apache-2.0
"""Messages that did not get through are said once for each channel, with the reason."""

from dataclasses import replace
from datetime import UTC, datetime

from blackstart.cli.unsent import say_waiting, unsent_lines
from blackstart.ports.channel import Message
from blackstart.ports.journal import QueuedDelivery

AGAIN = QueuedDelivery(
    key="k",
    incident="i",
    notice="n",
    channel="staff",
    person="p1",
    message=Message(subject="s", body="b", kind="asked", incident="i"),
    state="queued",
    attempts=2,
    due_at=datetime(2026, 11, 23, 3, 14, 15, tzinfo=UTC),
    reason="no connection",
)
ENDED = replace(AGAIN, state="accepted", reason="")


def test_what_is_tried_again_or_refused_is_said_once_by_channel() -> None:
    refused = replace(AGAIN, channel="incident", state="refused", reason="bad token")
    assert list(unsent_lines((AGAIN, AGAIN, refused, ENDED))) == [
        "2 messages over staff tried again: no connection",
        "1 message over incident refused: bad token",
    ]
    assert list(unsent_lines((ENDED,))) == []


def test_who_closes_too_early_hears_what_is_waited_for() -> None:
    said = say_waiting((AGAIN, AGAIN, ENDED))
    assert "waits for 2 messages still being sent" in said
    assert "03:14:15" in said
    assert say_waiting((ENDED,)) == ""
