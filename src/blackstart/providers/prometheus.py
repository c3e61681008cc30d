# SPDX-License-Identifier: Apache-2.0
"""Prometheus: the new site put among its targets, and proof that it stores what the site says.

Targets are announced by files (file_sd); Prometheus takes changes of them up to ten seconds late
(two of its own loops look every five seconds).
HTTP API: prometheus.io/docs/prometheus/latest/querying/api.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import msgspec

from blackstart.model.errors import WorldFailed
from blackstart.ports.action import (
    Context,
    Done,
    Failed,
    Finding,
    NotDone,
    Outcome,
    Partial,
    Unknown,
)
from blackstart.providers.beacon import (
    JOB,
    KEY_LABEL,
    RUN_LABEL,
    announce,
    lit,
    selector_of,
)
from blackstart.providers.limits import wait_within
from blackstart.providers.places import look_into, seconds_left
from blackstart.providers.traces import returns_failures
from blackstart.world.clock import SystemClock
from blackstart.world.files import sync_folder
from blackstart.world.http import FetchFailed, fetch

_TIMEOUT_S = 3.0


class Sample(msgspec.Struct, frozen=True):
    """One line of the answer to a query: the labels, and the value with its time."""

    metric: dict[str, str]
    value: tuple[float, str]


class ScrapeTarget(msgspec.Struct, frozen=True, rename="camel"):
    """A target as Prometheus sees it; `health` is up, down or unknown."""

    discovered_labels: dict[str, str]
    labels: dict[str, str] = {}
    health: str = "unknown"
    last_error: str = ""


class _Announced(msgspec.Struct):
    labels: dict[str, str] = {}


class _Found(msgspec.Struct):
    result: list[Sample] = []


class _Targets(msgspec.Struct, rename="camel"):
    active_targets: list[ScrapeTarget] = []


class _Answer(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"{}")
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scrape:
    """Let Prometheus scrape the new site, and wait until it does.

    Writes a file for the target into the folder `targets`, named after the job and the run. Files
    of others are left alone; the targets of the lost site stay until somebody retires them.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "file": "the file that announces the target",
        "took_s": "seconds until Prometheus had scraped it",
    }

    targets: str
    job: str
    address: str
    prometheus: str
    metrics_path: str = "/metrics"
    within_s: float = 30.0

    def preview(self, context: Context) -> str:
        """Say which target would be added."""
        return f"Prometheus would scrape {self.address} as job {self.job} ({self._path(context)})"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Announce the target and wait for the first good scrape."""
        clock = SystemClock()
        started_s = clock.monotonic_s()
        announce(
            self._path(context),
            self.address,
            self.job,
            context.marker,
            context.key,
            self.metrics_path,
        )
        seen: ScrapeTarget | None = None

        def is_up() -> bool:
            nonlocal seen
            seen = self._target(context)
            return seen is not None and seen.health == "up"

        if wait_within(context, is_up, at_most_s=self.within_s, every_s=0.2):
            return self._done(context, clock.monotonic_s() - started_s)
        if seen is None:
            return Failed(
                summary=f"Prometheus does not list {self.address} after {self.within_s:g} s.",
                hint=f"look whether its file_sd_configs watch {self.targets}/*.json",
            )
        return Failed(
            summary=f"Prometheus cannot scrape {self.address}: {seen.last_error or seen.health}.",
            hint="look at the firewall of the new site and at the platform's metrics page",
        )

    def inspect(self, context: Context) -> Finding:
        """Look for the file with this key, and at the health of its target."""
        try:
            content = self._path(context).read_bytes()
        except FileNotFoundError:
            return NotDone(note="the target is not announced")
        if f'"{context.key}"'.encode() not in content:
            return NotDone(note="another attempt announced the target")
        try:
            seen = self._target(context)
        except WorldFailed as failure:
            return Unknown(note=failure.what)
        if seen is None or seen.health != "up":
            return Partial(note="the target is announced and was not scraped yet")
        return self._done(context, 0.0)

    @returns_failures
    def undo(self, context: Context) -> Outcome:
        """Remove the target that this run announced; Prometheus drops it within ten seconds."""
        path = self._path(context)
        try:
            announced = msgspec.json.decode(path.read_bytes(), type=list[_Announced])
        except FileNotFoundError:
            return Done(summary=f"This run has announced no target of job {self.job}.")
        except msgspec.MsgspecError:
            announced = []
        if not any(one.labels.get(RUN_LABEL) == context.marker for one in announced):
            return Done(summary=f"{path} was not written by this run and is left alone.")
        path.unlink()
        sync_folder(path.parent)
        return Done(summary=f"Prometheus is no longer told to scrape {self.address}.")

    def _path(self, context: Context) -> Path:
        return Path(self.targets) / f"{self.job}-{_safe(context.marker)}.json"

    def _target(self, context: Context) -> ScrapeTarget | None:
        wanted = {
            "__address__": self.address,
            RUN_LABEL: context.marker,
            KEY_LABEL: context.key,
        }
        for target in active_targets(self.prometheus, context):
            if wanted.items() <= target.discovered_labels.items():
                return target
        return None

    def _done(self, context: Context, took_s: float) -> Done:
        return Done(
            summary=f"Prometheus scrapes {self.address} as job {self.job}.",
            outputs={"file": str(self._path(context)), "took_s": round(took_s, 1)},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectCanary:
    """Expect that a metric with a fresh nonce, served inside the new site, reaches Prometheus.

    It is served at `address:port` (the site's firewall has to let Prometheus in) and looked for
    with Prometheus' own query interface, so that scrape, storage and query are all proven.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "nonce": "the text that was looked for",
        "took_s": "seconds from the first answer of the canary until the query found it",
    }

    place: str
    site: str
    address: str
    prometheus: str
    targets: str
    job: str = JOB
    port: int = 9464
    within_s: float = 30.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Serve it, find it, and stop serving."""
        workplace = look_into(self.place, self.site, context)
        clock = SystemClock()
        with lit(workplace, address=self.address, port=self.port, targets=self.targets) as fresh:
            started_s = clock.monotonic_s()
            trouble = await_sample(
                self.prometheus,
                selector_of(fresh),
                context,
                target=f"{self.address}:{self.port}",
                within_s=self.within_s,
            )
        if trouble:
            return trouble
        took_s = clock.monotonic_s() - started_s
        return Done(
            summary=f"A metric of {self.site} was found in Prometheus after {took_s:.1f} s.",
            outputs={"nonce": fresh, "took_s": round(took_s, 1)},
        )


def await_sample(
    prometheus: str, selector: str, context: Context, *, target: str, within_s: float
) -> Failed | None:
    """Wait until a query answers; the Failed says where the chain broke. Raises WorldFailed."""
    if wait_within(
        context, lambda: bool(query(prometheus, selector, context)), at_most_s=within_s, every_s=0.2
    ):
        return None
    known = active_targets(prometheus, context)
    seen = [one for one in known if one.discovered_labels.get("__address__") == target]
    if not seen:
        return Failed(
            summary=f"Prometheus does not list the canary {target} after {within_s:g} s.",
            hint="look whether its file_sd_configs watch the folder of `targets`",
        )
    if seen[0].health != "up":
        return Failed(
            summary=f"Prometheus cannot scrape the canary {target}: {seen[0].last_error}.",
            hint="let the Prometheus server through the firewall of the new site to this port",
        )
    return Failed(
        summary=f"Prometheus scrapes {target}, yet its query does not find the fresh metric.",
        hint="look at metric_relabel_configs and at the free space of Prometheus",
    )


def query(prometheus: str, expression: str, context: Context) -> tuple[Sample, ...]:
    """Return what Prometheus answers to a query now. Raises WorldFailed."""
    answer = _get(f"{prometheus}/api/v1/query?query={quote(expression)}", context)
    return tuple(msgspec.json.decode(answer, type=_Found).result)


def active_targets(prometheus: str, context: Context) -> tuple[ScrapeTarget, ...]:
    """Return the targets that Prometheus scrapes. Raises WorldFailed."""
    answer = _get(f"{prometheus}/api/v1/targets?state=active", context)
    return tuple(msgspec.json.decode(answer, type=_Targets).active_targets)


def _get(url: str, context: Context) -> msgspec.Raw:
    response = fetch(url, timeout_s=min(_TIMEOUT_S, seconds_left(context)))
    try:
        answer = msgspec.json.decode(response.body, type=_Answer)
    except msgspec.MsgspecError as wrong:
        raise FetchFailed(
            f"{url} answered {response.status} and no JSON of Prometheus",
            "look what answers at this address",
        ) from wrong
    if answer.status != "success":
        raise WorldFailed(f"Prometheus refused a question: {answer.error}", "look at its log")
    return answer.data


def _safe(text: str) -> str:
    return "".join(letter if letter.isalnum() else "-" for letter in text)


PROVIDES: Mapping[str, type] = {"scrape": Scrape, "expect_canary": ExpectCanary}
