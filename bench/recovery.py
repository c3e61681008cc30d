# SPDX-License-Identifier: Apache-2.0
"""Disaster to full service: Blackstart beside a plain sequential script of the same real actions.

    python bench/recovery.py [ROUNDS]     # root, FlowFuse and about two minutes a round

Each round loses the same seeded production twice, in the same sandbox: once Blackstart brings it
back (people answer at once), once `bench/sequential.py` does, which waits for nobody. Both begin
when the watch opens the incident, and both end at the same moment: the last instance verified
through the public name. The clock starts with the disaster. Prints each figure beside its goal,
with Blackstart's share of idle time and its peak memory; the exit code is 1 when one is missed.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from blackstart.bootstrap import incidents, open_home
from blackstart.cli.follow import Followed, answer_after, follow
from blackstart.cli.outcome import frame_of
from blackstart.cli.stage import Stage, end_blackstart, peak_memory_bytes, set_stage
from blackstart.reports.scorecard import score
from blackstart.reports.spans import action_spans
from blackstart.sandbox.disaster import destroy_production
from blackstart.sandbox.layout import cache_folder, new_run
from blackstart.sandbox.packages import Prepared, prepare, require_host
from blackstart.sandbox.seed import Seed, make_seed
from blackstart.sandbox.sweep import remove_run, sweep
from blackstart.sandbox.systems import FlowFuse
from blackstart.world import process

RATIO_GOAL = 0.8
IDLE_GOAL = 0.03
MEMORY_GOAL_MIB = 120.0
LIMIT_S = 300.0
SCRIPT = Path(__file__).with_name("sequential.py")
RESULT = "sequential.json"
NEVER = threading.Event()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One recovery: the disaster, the watch's report, full service, and what the tool needed."""

    lost_at: datetime
    reported_at: datetime
    full_at: datetime
    idle: float = 0.0
    peak_mib: float = 0.0
    took_s: Mapping[str, float] = field(default_factory=dict)  # of each action

    @property
    def whole_s(self) -> float:
        """Return the seconds from disaster to full service."""
        return (self.full_at - self.lost_at).total_seconds()

    @property
    def own_s(self) -> float:
        """Return the seconds from the watch's report to full service."""
        return (self.full_at - self.reported_at).total_seconds()


def by_blackstart(stage: Stage) -> Timed:
    """Lose production; Blackstart recovers it, with people who answer at once."""
    lost = destroy_production(stage.layout)
    followed = Followed(home=open_home(stage.home))
    incident = follow(
        followed,
        answer=answer_after(0.0),
        is_alive=lambda: stage.agent.is_alive,
        show=lambda: None,
        limit_s=LIMIT_S,
        stop=NEVER,
    )
    frame = frame_of(followed)
    card = score(frame.facts, frame.runbooks, frame.objectives)
    full = card.full_service
    if full is None:
        raise SystemExit(f"Blackstart did not reach full service: {incident.state}.")
    return Timed(
        lost_at=lost.at,
        reported_at=incident.reported_at,
        full_at=full.end,
        idle=card.idle,
        peak_mib=(peak_memory_bytes(stage.agent.pid) or 0) / 2**20,
        took_s={
            span.reference: (span.ended_at - span.started_at).total_seconds()
            for span in action_spans(frame.facts)
            if span.ended_at
        },
    )


def by_script(stage: Stage) -> Timed:
    """Lose production; the sequential script recovers it, from where Blackstart's agent stood."""
    stage.agent.end(grace_s=20.0)
    net = f"--net=/proc/{stage.elsewhere.init_pid}/ns/net"
    argv = ["nsenter", net, "--", sys.executable, str(SCRIPT), str(stage.home)]
    log = stage.layout.root / "sequential.log"
    script = process.spawn(argv, log=log, dies_with_us=True)
    NEVER.wait(2.0)  # as the agent, it is up and waiting when the disaster comes
    lost = destroy_production(stage.layout)
    for _ in range(int(LIMIT_S * 10)):
        if not process.is_alive(script.pid, script.started_ticks):
            break
        NEVER.wait(0.1)
    process.end(script.pid, script.started_ticks, grace_s=1.0)
    written = stage.home / RESULT
    if not written.exists():
        raise SystemExit(f"The script stopped: {log.read_text('utf-8', 'replace')[-800:]}")
    result = json.loads(written.read_bytes())
    return Timed(
        lost_at=lost.at,
        reported_at=incidents(open_home(stage.home))[0].reported_at,
        full_at=datetime.fromisoformat(result["full_service_at"]),
        took_s=result["took_s"],
    )


def staged(prepared: Prepared, seed: Seed, recover: Callable[[Stage], Timed]) -> Timed:
    """Set the stage, lose and recover, and leave nothing behind."""
    with new_run(cache_folder()) as layout:
        try:
            stage = set_stage(layout, FlowFuse(prepared, seed), lambda _said: None)
            os.sync()  # nobody pays for what an earlier recovery left to be written
            timed = recover(stage)
            end_blackstart(stage)
            return timed
        finally:
            remove_run(layout.root)


def line(title: str, figure: str, goal: str = "") -> str:
    """Return one line of the result."""
    return f"{title:42} {figure:>12}   {goal}".rstrip()


def main(rounds: int) -> int:
    """Print each figure beside its goal; return 1 when one is missed."""
    require_host()
    cache = cache_folder()
    sweep(cache)
    prepared = prepare(cache, print)
    seed = make_seed(cache, prepared, print)
    ours, theirs = [], []
    for number in range(1, rounds + 1):
        if number % 2 == 0:  # turns, so that neither always follows the other
            ours.append(staged(prepared, seed, by_blackstart))
        theirs.append(staged(prepared, seed, by_script))
        if number % 2:
            ours.append(staged(prepared, seed, by_blackstart))
        print(
            f"round {number}: Blackstart {ours[-1].whole_s:.1f} s ({ours[-1].own_s:.1f} s from the "
            f"report), script {theirs[-1].whole_s:.1f} s ({theirs[-1].own_s:.1f} s)"
        )
    mine_s = statistics.median(each.whole_s for each in ours)
    script_s = statistics.median(each.whole_s for each in theirs)
    ratio, idle = mine_s / script_s, max(each.idle for each in ours)
    peak_mib = max(each.peak_mib for each in ours)
    print(line("disaster to full service, Blackstart", f"{mine_s:.1f} s"))
    print(line("disaster to full service, script", f"{script_s:.1f} s"))
    print("longest of the script (beside the same of Blackstart):")
    for name, took_s in sorted(theirs[-1].took_s.items(), key=lambda each: -each[1])[:8]:
        beside_s = ours[-1].took_s.get(name)
        print(line(f"  {name}", f"{took_s:.1f} s", f"({beside_s:.1f} s)" if beside_s else ""))
    print(line("ratio", f"{ratio:.2f}", f"(goal <= {RATIO_GOAL})"))
    print(line("overhead (idle share)", f"{idle:.1%}", f"(goal <= {IDLE_GOAL:.0%})"))
    print(line("peak memory of the agent", f"{peak_mib:.1f} MiB", f"(goal <= {MEMORY_GOAL_MIB})"))
    return int(ratio > RATIO_GOAL or idle > IDLE_GOAL or peak_mib > MEMORY_GOAL_MIB)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 1))
