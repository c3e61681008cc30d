# SPDX-License-Identifier: Apache-2.0
"""The monitoring answers, promptly and well, with what it saw before the run."""

from __future__ import annotations

import sys
from functools import partial

import msgspec

from blackstart.sandbox.front import listens
from blackstart.sandbox.injection import Injection, living, stops_at
from blackstart.sandbox.injections._away import end_program_with
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, RECOVERY, Layout
from blackstart.sandbox.metrics import PROMETHEUS_PORT, prometheus_folder
from blackstart.sandbox.on_site import expect, put_file
from blackstart.world.clock import SystemClock
from blackstart.world.sites import start_inside


def answer_from_before(layout: Layout) -> None:
    """Put in place of Prometheus what repeats the good answers of an earlier drill."""
    site, address = living(layout, ELSEWHERE), f"{ADDRESSES[RECOVERY]}:3000"
    target = {
        "discoveredLabels": {"__address__": address, "job": "flowfuse"},
        "labels": {"instance": address, "job": "flowfuse"},
        "health": "up",
    }
    sample = {"metric": {"nonce": "earlier"}, "value": [SystemClock().now().timestamp(), "1"]}
    answers = {"activeTargets": [target], "result": [sample]}
    folder = prometheus_folder(layout)
    document = msgspec.json.encode({"status": "success", "data": answers})
    kept = put_file(folder / "before.json", document, "svc", 0o644)
    here = f"{ADDRESSES[ELSEWHERE]}:{PROMETHEUS_PORT}"
    end_program_with(site, f"--web.listen-address={here}")
    where = ["--address", ADDRESSES[ELSEWHERE], "--port", str(PROMETHEUS_PORT)]
    command = [sys.executable, "-m", "blackstart.sandbox.echo_web", *where, "--body", str(kept)]
    start_inside(site, "prometheus-before", command, user="svc")
    answers_again = partial(listens, site, ADDRESSES[ELSEWHERE], PROMETHEUS_PORT)
    log = site.directory / "log" / "prometheus-before.log"
    expect("the old answers", answers_again, timeout_s=10, log=log)


INJECTION = Injection(
    name="monitoring-from-before",
    what="the monitoring repeats good answers from before the run: all targets are up",
    expected=stops_at("verify_observability.scrape"),
    inject=answer_from_before,
)
