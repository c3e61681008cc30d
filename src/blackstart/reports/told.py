# SPDX-License-Identifier: Apache-2.0
"""Who was told what, over which channel, and what became of each message.

Facts hold counts and never an address, so nothing here can leak one.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from blackstart.model.events import Fact
from blackstart.reports.phrases import Tone
from blackstart.reports.spans import NoticeSpan, notice_spans


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryCount:
    """How many deliveries of one notice have reached each end so far."""

    notice: str
    accepted: int = 0
    refused: int = 0
    uncertain: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One notice with its counts. `settled_at` is None while deliveries are under way."""

    notice: str
    kind: str
    subject: str
    channel: str
    audience: str
    recipients: int
    accepted: int
    refused: int
    uncertain: int
    queued_at: datetime
    settled_at: datetime | None
    receipt: str
    reason: str

    @property
    def pending(self) -> int:
        """Return how many messages are still under way."""
        return max(0, self.recipients - self.accepted - self.refused - self.uncertain)

    @property
    def tone(self) -> Tone:
        """Return good only when every recipient's channel took the message."""
        if self.refused or self.uncertain or not self.recipients:
            return Tone.WARN
        return Tone.CALM if self.pending else Tone.GOOD


def told(facts: tuple[Fact, ...], counts: Iterable[DeliveryCount] = ()) -> tuple[Told, ...]:
    """Return every notice in the order of queueing; `counts` fills in those not yet settled."""
    so_far = {count.notice: count for count in counts}
    return tuple(_told(span, so_far.get(span.queued.notice)) for span in notice_spans(facts))


def _told(span: NoticeSpan, count: DeliveryCount | None) -> Told:
    count = count or DeliveryCount(notice=span.queued.notice)
    settled = span.settled
    return Told(
        notice=span.queued.notice,
        kind=span.queued.kind,
        subject=span.queued.subject,
        channel=span.queued.channel,
        audience=span.queued.audience,
        recipients=span.queued.recipients,
        accepted=settled.accepted if settled else count.accepted,
        refused=settled.refused if settled else count.refused,
        uncertain=settled.uncertain if settled else count.uncertain,
        queued_at=span.queued_at,
        settled_at=span.settled_at,
        receipt=settled.receipt if settled else "",
        reason=(settled.reason if settled else "") or span.queued.reason,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldGroup:
    """All notices of one kind over one channel, their counts summed."""

    kind: str
    channel: str
    rows: tuple[Told, ...]

    def count(self, what: str) -> int:
        """Return a sum over the notices: recipients, accepted, refused, uncertain or pending."""
        return sum(int(getattr(row, what)) for row in self.rows)

    @property
    def audiences(self) -> tuple[str, ...]:
        """Return the audiences, each once."""
        return tuple(dict.fromkeys(row.audience for row in self.rows))

    @property
    def queued_at(self) -> datetime:
        """Return when the first of the notices was queued."""
        return min(row.queued_at for row in self.rows)

    @property
    def settled_at(self) -> datetime | None:
        """Return when the last of the notices was settled, None while one is under way."""
        times = [row.settled_at for row in self.rows if row.settled_at]
        return max(times) if len(times) == len(self.rows) else None

    @property
    def tone(self) -> Tone:
        """Return the gravest tone of the notices."""
        tones = {row.tone for row in self.rows}
        return next(tone for tone in (Tone.WARN, Tone.CALM, Tone.GOOD) if tone in tones)


def told_groups(rows: tuple[Told, ...]) -> tuple[ToldGroup, ...]:
    """Return the notices by kind and channel, in the order in which each was first queued."""
    found: dict[tuple[str, str], list[Told]] = {}
    for row in rows:
        found.setdefault((row.kind, row.channel), []).append(row)
    return tuple(
        ToldGroup(kind=kind, channel=channel, rows=tuple(members))
        for (kind, channel), members in found.items()
    )
