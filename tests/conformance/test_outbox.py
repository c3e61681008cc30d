# SPDX-License-Identifier: Apache-2.0
"""What every journal must do with messages of several incidents and several drivers."""

from __future__ import annotations

import pytest

from blackstart.model.errors import Refused
from tests.conformance.conftest import Desk
from tests.journals import START, notice


def test_one_incident_s_messages_never_hide_another_s(desk: Desk) -> None:
    desk.journal.append("i1", "p1", [notice(tuple(f"u{n}" for n in range(60)))])
    desk.journal.append("i2", "p1", [notice(("v1",))])
    assert [each.person for each in desk.journal.due_deliveries("i2", START, 50)] == ["v1"]


def test_whoever_lost_the_claim_moves_no_delivery(desk: Desk) -> None:
    first = desk.journal.claim("i1", "first", 1.0)
    assert first is not None
    fenced = desk.journal.with_fence("i1", first)
    fenced.append("i1", "first", [notice(("u1",))])
    key = desk.journal.deliveries("i1")[0].key
    desk.clock.move(2)
    assert desk.journal.claim("i1", "second", 1.0) == first + 1
    with pytest.raises(Refused, match="driven by another program"):
        fenced.move_delivery(key, "sending")
    assert desk.journal.deliveries("i1")[0].state == "queued"
