# SPDX-License-Identifier: Apache-2.0
"""A small installation with the real command line and the real agent: a plan of ten steps to drive.

Each step is a program that adds its name to `effects`, so that a test can count what was done. What
a test wants otherwise it says by naming a step with the words of its program.
"""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from blackstart.bootstrap import Home, give_answer, open_home
from blackstart.model.events import Fact
from blackstart.model.incident import Incident, fold
from blackstart.model.states import IncidentState
from blackstart.world.clock import wait_until

SYSTEM = "shop"
STEPS = (
    "notify_users",
    "assess_damage",
    "create_environment",
    "secure_environment",
    "deploy_platform",
    "restore_data",
    "verify_platform",
    "verify_observability",
    "update_dns",
    "announce_recovery",
)
BY_HAND: Mapping[str, str] = {
    "create_environment": "Fence the old site.",
    "verify_observability": "Look once more for open ports.",
    "update_dns": "Look from outside.",
}
ANSWERS: Mapping[str, str] = {
    "acknowledge": "acknowledged",
    "decision": "rebuild",
    "gate": "go",
    "manual": "done",
}
_PEOPLE_S = 0.05
Action = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Agent:
    """A running agent, and what it says."""

    process: subprocess.Popen[bytes]
    heard: bytearray = field(default_factory=bytearray)

    def listen(self) -> None:
        """Hear it out; a pipe, because files may be what it cannot write."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.heard.extend(line)

    @property
    def pid(self) -> int:
        """The agent's process."""
        return self.process.pid

    def said(self) -> str:
        """Return what it said so far."""
        return self.heard.decode("utf-8", "replace")

    def says(self, text: str, *, timeout_s: float = 30.0) -> bool:
        """Wait until it has said that."""
        return wait_until(lambda: text in self.said(), timeout_s=timeout_s)

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=30)

    def soften(self, kind: int, limit: int) -> int:
        """Set a soft limit of the living agent (resource.RLIMIT_…), and return what it was."""
        before, hard = resource.prlimit(self.pid, kind)
        resource.prlimit(self.pid, kind, (limit, hard))
        return before

    def limit(self, *words: str) -> None:
        """Set limits of the living agent, as prlimit(1) names them (such as --nofile=20)."""
        subprocess.run(["prlimit", "--pid", str(self.pid), *words], check=True)


@dataclass(kw_only=True)
class Installation:
    """One folder with plan, home and effects."""

    root: Path
    do: Mapping[str, Sequence[Action]] = field(default_factory=dict)
    channels: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    vantages: Mapping[str, Any] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    incident: str = ""

    def __post_init__(self) -> None:
        """Write the plan."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.plan.write_text(yaml.safe_dump(self._plan(), sort_keys=False))

    @property
    def plan(self) -> Path:
        """The plan file."""
        return self.root / "blackstart.yaml"

    @property
    def home(self) -> Path:
        """The folder of the installation."""
        return self.root / "home"

    @property
    def clock(self) -> Path:
        """The file that moves its clock."""
        return self.root / "clock"

    @property
    def effects(self) -> Path:
        """Where programs write what they did."""
        return self.root / "effects"

    def done(self) -> dict[str, int]:
        """Return how often each step had its effect."""
        try:
            return dict(Counter(self.effects.read_text().split()))
        except FileNotFoundError:
            return {}

    def effect(self, step: str, before: str = "", after: str = "") -> Action:
        """Return the action that adds the step's name to the effects, between other commands."""
        line = f"echo {step} >> {self.effects}"
        script = "; ".join(part for part in (before, line, after) if part)
        return self.command(["sh", "-c", script])

    def command(self, argv: Sequence[str], *, limit: str = "5m", **params: Any) -> Action:
        """Return an action that runs a program."""
        traces = {"traces": str(self.root / "traces")}
        return {
            "use": "command.run",
            "limit": limit,
            "params": {"argv": [*argv], **traces, **params},
        }

    def _plan(self) -> Mapping[str, Any]:
        people = {
            name: {"name": name.upper(), "email": f"{name}@example.com"} for name in ("p1", "p2")
        }
        folder = {"use": "statuspage.static", "publish": [f"dir:{self.root / 'status'}"]}
        system = {
            "profile": "manual/any@1",
            "settings": {"public_name": "shop.example.com", "backups": "there", **self.settings},
            "state": [{"name": "database", "not_protected": "there is none here"}],
            "targets": {"recovery": {"place": str(self.root / "sites"), "site": "recovery"}},
            "steps": {step: {"do": self._actions(step)} for step in STEPS},
        }
        return {
            "blackstart": 1,
            "organisation": "Shop",
            "policy": {"owner": "p1", "effective": "2026-01-01", "objectives": {"rto": "4h"}},
            "people": people,
            "roles": {
                "incident_commander": {
                    "title": "CTO",
                    "holders": ["p1", "p2"],
                    "acknowledge_within": "1h",
                },
                "ceo": {"title": "CEO", "holders": ["p2"]},
            },
            "teams": {"devops": ["p1"], "engineering": ["p1"]},
            "channels": {"incident": folder, "staff": folder, **self.channels},
            "vantages": dict(self.vantages),
            "systems": {SYSTEM: system},
        }

    def _actions(self, step: str) -> list[Mapping[str, Action]]:
        wanted = self.do.get(step) or [self.effect(step)]
        named: list[Mapping[str, Action]] = [
            {f"act{number}": action} for number, action in enumerate(wanted)
        ]
        if step in BY_HAND:
            named.append({"by_hand": {"use": "manual.do", "params": {"text": BY_HAND[step]}}})
        return named

    def env(self) -> dict[str, str]:
        """Return the environment of every program of the installation."""
        return {
            **os.environ,
            "BLACKSTART_HOME": str(self.home),
            "BLACKSTART_PLAN": str(self.plan),
            "BLACKSTART_REHEARSAL_CLOCK": str(self.clock),
            **self.environment,
        }

    def run(self, *words: str, timeout_s: float = 60.0) -> subprocess.CompletedProcess[str]:
        """Run one command to its end."""
        argv = [sys.executable, "-m", "blackstart", *words]
        return subprocess.run(
            argv,
            env=self.env(),
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )

    def report(self) -> str:
        """Open the incident."""
        done = self.run("report", SYSTEM, "--summary", "The shop is down.", "--as", "p1")
        assert done.returncode == 0, done.stderr
        self.incident = done.stdout.split()[0]
        return self.incident

    @contextmanager
    def agent(self, *, before: Sequence[str] = ()) -> Iterator[Agent]:
        """Run the agent, by the words of `before`; it is killed at the end if it still lives."""
        with subprocess.Popen(
            [*before, sys.executable, "-m", "blackstart", "agent"],
            env=self.env(),
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            agent = Agent(process=process)
            listener = threading.Thread(target=agent.listen)
            listener.start()
            try:
                yield agent
            finally:
                process.send_signal(signal.SIGCONT)
                process.kill()
                listener.join()

    def state(self) -> Incident:
        """Return the incident as the record tells it."""
        return fold(open_home(self.home).journal.read(self.incident))

    def facts(self, after_seq: int = 0) -> tuple[Fact, ...]:
        """Return the facts of the incident after that number."""
        return open_home(self.home).journal.read(self.incident, after_seq)

    def reaches(
        self, wanted: Any, *, says: Mapping[str, str] = ANSWERS, timeout_s: float = 60.0
    ) -> Incident:
        """Be the people until the incident is as wanted; fails when it takes too long."""
        home = open_home(self.home)
        newest: list[Incident] = []

        def is_there() -> bool:
            newest[:] = [fold(home.journal.read(self.incident))]
            if wanted(newest[0]):
                return True
            answer_one(home, newest[0], says)
            return False

        try:
            found = wait_until(is_there, timeout_s=timeout_s, every_s=_PEOPLE_S)
        finally:
            home.journal.close()
        assert found, f"not reached: {newest[0].state}, {newest[0].open_asks()}"
        return newest[0]

    def recovers(self, **more: Any) -> Incident:
        """Be the people until the system is restored, every step done once and nothing twice."""
        incident = self.reaches(is_restored, **more)
        assert self.done() == dict.fromkeys(STEPS, 1)
        assert self.run("journal", "verify").returncode == 0
        return incident


def answer_one(home: Home, incident: Incident, says: Mapping[str, str]) -> None:
    """Answer the first open question whose kind has an answer."""
    for ask in incident.open_asks():
        if ask.opened.kind in says:
            text = says[ask.opened.kind]
            give_answer(home, incident.id, ask.opened.ask, text, by="p1", why="test", how="command")
            return


def is_restored(incident: Incident) -> bool:
    """Say whether users have their system back."""
    return incident.state is IncidentState.RESTORED


def without_root(*argv: str) -> list[str]:
    """Return what runs a program that may read and write no more than its user (root may all)."""
    if os.getuid() != 0:
        return [*argv]
    rights = "-dac_override,-dac_read_search"
    return ["setpriv", f"--inh-caps={rights}", f"--bounding-set={rights}", *argv]


def is_stopped(incident: Incident) -> bool:
    """Say whether a person is asked what to do about a step that failed."""
    return any(ask.opened.kind == "stopped" for ask in incident.open_asks())
