# SPDX-License-Identifier: Apache-2.0
"""The alarm, proven to its end: an alert that the new site causes has to arrive at a receiver.

The chain is metric → Prometheus' rule → Alertmanager → receiver. Each link is asked for by the
fresh nonce, so that the answer says where it broke, and nothing from before the run counts.
API of Alertmanager: github.com/prometheus/alertmanager, api/v2/openapi.yaml.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import msgspec

from blackstart.ports.action import Context, Done, Failed, Outcome
from blackstart.providers.beacon import lit, selector_of
from blackstart.providers.limits import wait_within
from blackstart.providers.places import look_into, seconds_left
from blackstart.providers.prometheus import await_sample, query
from blackstart.providers.traces import returns_failures
from blackstart.world.clock import SystemClock
from blackstart.world.http import fetch


class _Labelled(msgspec.Struct):
    labels: dict[str, str] = {}


class _Receipt(msgspec.Struct):
    """A line of the receiver: one alert, or the whole document of a webhook with its alerts."""

    labels: dict[str, str] = {}
    status: str = ""
    alerts: list[_Receipt] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectCanary:
    """Expect that an alert with a fresh nonce, caused inside the new site, reaches the receiver.

    Prometheus needs a rule `alert` on the metric blackstart_canary that keeps its labels. The
    receiver keeps what reaches it in the file `receipts`, one JSON document a line: an alert with
    `labels` and `status`, or a whole webhook document with `alerts`.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "nonce": "the text that was looked for",
        "took_s": "seconds from the first answer of the canary until the receiver had the alert",
    }

    place: str
    site: str
    address: str
    prometheus: str
    targets: str
    alertmanager: str
    receipts: str
    alert: str = "BlackstartCanary"
    port: int = 9465
    within_s: float = 30.0
    each_within_s: float = 10.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Cause it, follow it from link to link, and stop causing it."""
        workplace = look_into(self.place, self.site, context)
        clock = SystemClock()
        before_bytes = _size_of(Path(self.receipts))
        with lit(workplace, address=self.address, port=self.port, targets=self.targets) as fresh:
            started_s = clock.monotonic_s()
            broken = await_sample(
                self.prometheus,
                selector_of(fresh),
                context,
                target=f"{self.address}:{self.port}",
                within_s=self.within_s,
            ) or self._follow(fresh, before_bytes, context)
        if broken:
            return broken
        took_s = clock.monotonic_s() - started_s
        return Done(
            summary=f"An alert caused in {self.site} reached the receiver after {took_s:.1f} s.",
            outputs={"nonce": fresh, "took_s": round(took_s, 1)},
        )

    def _follow(self, fresh: str, before_bytes: int, context: Context) -> Failed | None:
        def has_arrived() -> bool:
            return has_receipt(Path(self.receipts), before_bytes, self.alert, fresh)

        def is_held() -> bool:
            return self._is_held(fresh, context)

        def fires() -> bool:
            firing = f'ALERTS{{alertname="{self.alert}",alertstate="firing",nonce="{fresh}"}}'
            return bool(query(self.prometheus, firing, context))

        links: tuple[tuple[Callable[[], bool], str, str], ...] = (
            (
                fires,
                f"Prometheus has the canary's metric, yet its rule {self.alert} does not fire",
                "load the rule that raises this alert when blackstart_canary is above 0",
            ),
            (
                is_held,
                f"the rule {self.alert} fires, yet Alertmanager does not have the alert",
                "look at `alerting` in the configuration of Prometheus, and at its log",
            ),
            (
                has_arrived,
                "Alertmanager has the alert, yet no receiver got it",
                "look at the routes of Alertmanager, at silences, and at the receiver itself",
            ),
        )
        for is_so, what, hint in links:
            if not wait_within(
                context,
                _either(has_arrived, is_so),
                at_most_s=self.each_within_s,
                every_s=0.2,
            ):
                waited = f"after {self.each_within_s:g} s"
                return Failed(summary=f"The alarm is broken: {what} {waited}.", hint=hint)
        return None

    def _is_held(self, fresh: str, context: Context) -> bool:
        filters = quote(f'nonce="{fresh}"')
        url = f"{self.alertmanager}/api/v2/alerts?active=true&filter={filters}"
        answer = fetch(url, timeout_s=min(3.0, seconds_left(context)))
        held = msgspec.json.decode(answer.body, type=list[_Labelled])
        return any(one.labels.get("nonce") == fresh for one in held)


def has_receipt(receipts: Path, after_bytes: int, alert: str, fresh: str) -> bool:
    """Say whether the receiver's file has the alert with this nonce beyond that place."""
    try:
        with receipts.open("rb") as file:
            file.seek(after_bytes)
            lines = file.read().splitlines()
    except FileNotFoundError:
        return False
    return any(_is_of(line, alert, fresh) for line in lines if fresh.encode() in line)


def _is_of(line: bytes, alert: str, fresh: str) -> bool:
    try:
        found = msgspec.json.decode(line, type=_Receipt)
    except msgspec.MsgspecError:
        return False  # the last line may still be on its way
    return any(
        one.labels.get("alertname") == alert
        and one.labels.get("nonce") == fresh
        and one.status != "resolved"
        for one in (found, *found.alerts)
    )


def _either(first: Callable[[], bool], second: Callable[[], bool]) -> Callable[[], bool]:
    return lambda: first() or second()


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


PROVIDES: Mapping[str, type] = {"expect_canary": ExpectCanary}
