# SPDX-License-Identifier: Apache-2.0
"""Messages that did not get through: refused, or tried again; said once for each channel."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from blackstart.model.states import DeliveryState
from blackstart.model.words import say_count, say_moment
from blackstart.ports.journal import QueuedDelivery

_WAITS = (DeliveryState.QUEUED, DeliveryState.SENDING)


def unsent_lines(deliveries: Iterable[QueuedDelivery]) -> Iterator[str]:
    """Yield, by channel and reason, how many messages were refused or are tried again."""
    found = Counter(
        (one.channel, "refused" if one.state == DeliveryState.REFUSED else "tried again", why)
        for one in deliveries
        if (why := one.reason) and one.state in (*_WAITS, DeliveryState.REFUSED)
    )
    for (channel, fate, why), count in found.items():
        yield f"{say_count(count, 'message')} over {channel} {fate}: {why}"


def say_waiting(deliveries: Iterable[QueuedDelivery]) -> str:
    """Return what the post-mortem waits for; nothing when every message has its end."""
    waiting = [one for one in deliveries if one.state in _WAITS]
    if not waiting:
        return ""
    latest = max(one.due_at for one in waiting)
    many = say_count(len(waiting), "message")
    return f"The post-mortem waits for {many} still being sent (next try by {say_moment(latest)})."
