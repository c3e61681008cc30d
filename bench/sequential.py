# SPDX-License-Identifier: Apache-2.0
"""A careful engineer's script: the same real actions as the drill's recovery, one after the other.

    python bench/sequential.py HOME     # waits for HOME's incident, recovers, writes the result

It is what somebody would write who knows the procedure and has no engine: a loop over the policy's
steps in their order and over each step's actions in theirs, with the attempts that the plan
allows. It uses the same compiled runbook and the same providers, waits for nobody, asks nobody,
keeps no journal of what it does and stops at the first failure. Messages are sent one by one where
the policy says. So it has every advantage but one: it does nothing at the same time.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

from blackstart.bootstrap import Home, house_of, incidents, open_home
from blackstart.engine.acting import verified_points
from blackstart.engine.installation import Installation
from blackstart.engine.offered import build
from blackstart.engine.probe import look_from
from blackstart.model.plan import Target
from blackstart.model.references import fill
from blackstart.model.runbook import ActionSpec, NoticeSpec, Param, Runbook
from blackstart.ports.action import Check, Context, Done, Outcome
from blackstart.ports.channel import Accepted, Channel, Message
from blackstart.world.clock import countdown

RESULT = "sequential.json"
LIMIT_S = 120.0


class Script:
    """One pass through the runbook of one incident."""

    def __init__(self, home: Home, incident: str) -> None:
        self.home = home
        self.incident = incident
        self.run = f"{incident}.r1"
        self.house: Installation = house_of(home, incident)
        self.runbook: Runbook = next(iter(self.house.runbooks.values()))
        self.outputs: dict[str, dict[str, Param]] = {}
        self.took_s: dict[str, float] = {}

    def recover(self) -> None:
        """Do every step in the order of the policy. Raises SystemExit at the first failure."""
        for step in self.runbook.steps:
            given = self.outputs.setdefault(step.name, {})
            for spec in step.do:
                given.update(self._carry_out(step.name, spec))
            for notice in step.notices:
                began = time.perf_counter()
                self._tell(notice)
                self.took_s[f"{step.name}.{notice.channel}"] = time.perf_counter() - began

    def _carry_out(self, step: str, spec: ActionSpec) -> dict[str, Param]:
        began = time.perf_counter()
        seen: Outcome | None = None
        for attempt in range(1, spec.attempts + 1):
            seen = self._once(spec, self._context(step, spec, attempt))
            if isinstance(seen, Done):
                self.took_s[f"{step}.{spec.name}"] = time.perf_counter() - began
                return dict(seen.outputs)
        raise SystemExit(f"{step}.{spec.name}: {seen.summary if seen else 'no attempt is allowed'}")

    def _once(self, spec: ActionSpec, context: Context) -> Outcome:
        house, params = self.house, fill(spec.params, self.outputs)
        provider = build(house.verbs, spec.use, params)
        if isinstance(provider, Check):
            if spec.vantage:
                vantage = house.plan.vantages[spec.vantage]
                return look_from(vantage, house.probe, spec.use, params, context, house.secrets)
            return provider.check(context)
        done: Outcome = provider.perform(context)
        return done

    def _target(self) -> Target:
        return self.house.plan.systems[self.runbook.system].targets[self.runbook.target]

    def _context(self, step: str, spec: ActionSpec, attempt: int) -> Context:
        house = self.house
        left_s = countdown(house.clock, spec.limit_s)
        return Context(
            key=f"{self.run}/{step}/{spec.name}/{attempt}",
            marker=self.run,
            target=self._target(),
            left_s=left_s,
            now=house.clock.now,
            cancelled=lambda: left_s() <= 0,
            progress=lambda _done, _total, _unit: None,
            keep=house.evidence.keep,
            seal=lambda name, value: house.secrets.put(self.run, name, value),
            reveal=house.secrets.reveal,
            remember=lambda audience, people: self.home.journal.remember_people(
                f"{self.incident}:{audience}", people
            ),
            verified_points=lambda item: verified_points(
                self.home.journal, self.runbook.system, item
            ),
        )

    def _tell(self, notice: NoticeSpec) -> None:
        house, journal = self.house, self.home.journal
        spec = house.plan.channels[notice.channel]
        channel: Channel = build(house.verbs, spec.use, spec.params)
        message = Message(
            subject=f"{self.runbook.system}: {notice.kind}",
            body=f"{self.runbook.system}: {notice.kind}.",
            kind=notice.kind,
            incident=self.incident,
        )
        affected = journal.audience(f"{self.incident}:{notice.audience}")
        for person in ("",) if notice.audience == "everyone" else affected:
            address = journal.address_of(person, channel.address_kind) if person else ""
            key = f"{self.run}/{notice.kind}/{notice.channel}/{person}"
            answer = channel.send(message, key, address or "", house.secrets.reveal)
            if not isinstance(answer, Accepted):
                raise SystemExit(f"{notice.channel} did not take the message: {answer}")


def wait_for_incident(home: Home) -> str:
    """Return the incident that the watch opens. Raises SystemExit when none comes."""
    deadline = time.monotonic() + LIMIT_S
    while time.monotonic() < deadline:
        found = incidents(home)
        if found:
            return found[0].id
        threading.Event().wait(0.05)
    raise SystemExit("The watch opened no incident.")


def main(folder: Path) -> int:
    """Recover and write what it took; the exit code says whether every action succeeded."""
    home = open_home(folder)
    incident = wait_for_incident(home)
    began = home.clock.now()
    script = Script(home, incident)
    script.recover()
    full = str(script.outputs["update_dns"]["full_service_at"])
    result = {"began": began.isoformat(), "full_service_at": full, "took_s": script.took_s}
    work = folder / f"{RESULT}.part"
    work.write_text(json.dumps(result), encoding="utf-8")
    work.rename(folder / RESULT)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
