# SPDX-License-Identifier: Apache-2.0
"""A beacon: a metric with a fresh nonce, served from inside a site while it is looked for.

The server is `blackstart.world.canary`, started inside the site; it dies with us, and ends by
itself if even that fails. Prometheus is told of it by a file in a folder that it watches (file_sd),
which is removed at the end. A file that a death left is overwritten by the next beacon.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from blackstart.model.errors import WorldFailed
from blackstart.providers.limits import wait_within
from blackstart.providers.places import Workplace
from blackstart.world import process
from blackstart.world.canary import METRIC, exposition
from blackstart.world.files import write_durably
from blackstart.world.http import FetchFailed
from blackstart.world.random import nonce
from blackstart.world.sites import inside

JOB = "blackstart-canary"
RUN_LABEL, KEY_LABEL = "__meta_blackstart_run", "__meta_blackstart_key"
_USER = "svc"
_STARTS_WITHIN_S = 10.0
_LONGEST_S = 120


@contextmanager
def lit(workplace: Workplace, *, address: str, port: int, targets: str) -> Iterator[str]:
    """Serve the metric at `address:port` of the site and announce it; yields the nonce.

    Raises WorldFailed when the metric cannot be served, for example because the port is taken.
    """
    fresh = nonce()
    where = ["--address", address, "--port", str(port), "--nonce", fresh]
    argv = [sys.executable, "-m", "blackstart.world.canary", *where, "--for-s", str(_LONGEST_S)]
    log = workplace.directory / "log" / f"canary-{port}.log"
    log.unlink(missing_ok=True)
    started = process.spawn(inside(workplace.site, argv, user=_USER), log=log, dies_with_us=True)
    announcement = Path(targets) / f"canary-{workplace.site.name}-{port}.json"
    try:
        url = f"http://{address}:{port}/metrics"
        wait_within(
            workplace.context,
            lambda: _serves(workplace, url, fresh) or not _lives(started),
            at_most_s=_STARTS_WITHIN_S,
            every_s=0.05,
        )
        if not (_lives(started) and _serves(workplace, url, fresh)):
            last = log.read_text("utf-8", "replace").strip()[-300:] or "no output"
            raise WorldFailed(
                f"the canary cannot be served at {address}:{port} of {workplace.site.name}: {last}",
                "look what holds the port in the new site",
            )
        announce(announcement, f"{address}:{port}", JOB, workplace.context.marker)
        yield fresh
    finally:
        announcement.unlink(missing_ok=True)
        process.end(started.pid, started.started_ticks, grace_s=0)
        log.unlink(missing_ok=True)


def announce(
    path: Path, target: str, job: str, run: str, key: str = "", metrics_path: str = "/metrics"
) -> None:
    """Write a file of targets for Prometheus, marked with the run and the action's key.

    Labels that begin with __meta_ can be asked for and never get onto a metric.
    """
    labels = {"job": job, RUN_LABEL: run, KEY_LABEL: key, "__metrics_path__": metrics_path}
    content = msgspec.json.encode([{"targets": [target], "labels": labels}])
    write_durably(path, content, mode=0o644)


def selector_of(fresh: str) -> str:
    """Return the query that selects the beacon's metric and no other."""
    return f'{METRIC}{{nonce="{fresh}"}}'


def _lives(started: process.Spawned) -> bool:
    return process.is_alive(started.pid, started.started_ticks)


def _serves(workplace: Workplace, url: str, fresh: str) -> bool:
    try:
        return workplace.get(url, limit_s=1.0).text == exposition(fresh)
    except FetchFailed:
        return False
