# SPDX-License-Identifier: Apache-2.0
"""A world in which an incident is played over days: people at command lines, an agent, the outside.

Every command is a process of its own. Slack and the mail server are the stand-ins, and what they
kept is the witness of who was told. A file moves the clock of every process.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from blackstart.model.events import Fact
from blackstart.model.incident import Incident, advance
from blackstart.reports.timeline import timeline
from blackstart.sandbox.faults import Fault
from blackstart.sandbox.http_loop import Call, Loop, Reply
from blackstart.sandbox.mail_standin import MailStandin
from blackstart.sandbox.slack_standin import SlackStandin
from blackstart.sandbox.slack_workspace import User, seed_workspace
from blackstart.store.sqlite import SqliteJournal, open_journal
from blackstart.world.clock import clock_of, wait_until
from tests.days_plan import PEOPLE, SLACK, Around, plan_text, write_world

PATIENCE_S = 60.0
_POST = "chat.postMessage"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a command said: exit code, standard output and standard error."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A mail as the server kept it."""

    to: str
    sender: str
    subject: str
    text: str


@dataclass
class Days:
    """The world, and the hands to act in it."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    agents: list[subprocess.Popen[bytes]] = field(default_factory=list)
    page: bytes = b"not yet"
    expected: dict[str, float] = field(default_factory=dict)  # measure → seconds

    def __enter__(self) -> Self:
        seed_workspace(
            self.folder / "slack",
            tokens={"xoxb-days": "U0BOT"},
            users=(
                User(id="U0BOT", name="blackstart", is_bot=True),
                *(User(id=number, name=person) for person, number in SLACK.items()),
            ),
            channels=("incident",),
        )
        self.slack = SlackStandin(self.folder / "slack")
        self.mail = MailStandin("127.0.0.1", 0, self.folder / "mail")
        self._slack_loop = Loop("127.0.0.1", 0, self.slack.answer)
        self._site = Loop("127.0.0.1", 0, self._show_page)
        self.around = Around(
            folder=self.folder,
            slack_port=self._slack_loop.port,
            mail_port=self.mail.port,
            site_port=self._site.port,
        )
        write_world(self.around)
        self.environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "BLACKSTART_HOME": str(self.folder / "home"),
            "BLACKSTART_PLAN": str(self.folder / "blackstart.yaml"),
            "BLACKSTART_REHEARSAL_CLOCK": str(self.folder / "clock"),
        }
        self._journal: SqliteJournal | None = None
        self._facts: list[Fact] = []
        self._incident: Incident | None = None
        self._version = -1
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.lose_power()
        if self._journal:
            self._journal.close()
        for server in (self._slack_loop, self._site, self.mail):
            server.stop()

    def _show_page(self, call: Call) -> Reply:
        return Reply(body=self.page, kind="text/plain")

    # --- people -------------------------------------------------------------------------------

    def run(self, *words: str, by: str = "", code: int = 0) -> Said:
        """Run a command as a person, and expect its exit code."""
        return self.ended(self.start(*words, by=by), code)

    def start(self, *words: str, by: str = "") -> subprocess.Popen[bytes]:
        """Start a command as a person."""
        return subprocess.Popen(
            [sys.executable, "-m", "blackstart", *words],
            env={**self.environment, **({"BLACKSTART_AS": by} if by else {})},
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ended(self, command: subprocess.Popen[bytes], code: int = 0) -> Said:
        """Wait for the end of a command and expect its exit code."""
        with command:
            out, err = command.communicate(timeout=PATIENCE_S)
        said = Said(code=command.returncode, out=out.decode(), err=err.decode())
        assert said.code == code, f"{command.args!r}: {said.code}\n{said.out}\n{said.err}"
        return said

    def steer(self, *words: str, by: str, in_json: bool = False) -> Said:
        """Run a command by which a person steers: what it says is what the record got from him."""
        before = self.facts[-1].seq
        said = self.run(*words, *["--json"] * in_json, by=by)
        facts = tuple(fact for fact in self.facts if fact.seq > before and fact.actor == by)
        assert facts, "nothing was recorded"
        if in_json:
            told = [fact["digest"] for fact in said.json["facts"]]
            assert [fact.digest for fact in facts if fact.digest in told] == [
                fact.digest for fact in facts
            ]
        else:
            rows = [row.sentence for row in timeline(self.facts, PEOPLE)]
            assert all(rows[fact.seq - 1] in said.out.splitlines() for fact in facts), said.out
        return said

    def refused(self, *words: str, by: str = "", code: int = 4) -> str:
        """Run a command that is refused, and return what it said; nothing is recorded."""
        return self.refusal(self.start(*words, by=by), code)

    def refusal(self, command: subprocess.Popen[bytes], code: int = 4) -> str:
        """Return what a command said that is refused: what happened, and what to do."""
        said = self.ended(command, code)
        assert not said.out
        assert "\n  → " in said.err, said.err
        return said.err

    # --- the machine --------------------------------------------------------------------------

    def start_agent(self) -> None:
        """Start the agent, as the machine does when it comes up."""
        log = (self.folder / f"agent-{len(self.agents)}.log").open("wb")
        with log:
            started = subprocess.Popen(
                [sys.executable, "-m", "blackstart", "agent"],
                env=self.environment,
                cwd=self.folder,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self.agents.append(started)

    def look_on(self) -> str:
        """Watch the status until it shows something, end it with Ctrl-C, return what it showed."""
        shown = self.folder / "watched.txt"
        with shown.open("wb") as sink:
            watching = subprocess.Popen(
                [sys.executable, "-m", "blackstart", "status", "--watch"],
                env=self.environment,
                stdout=sink,
            )
        assert wait_until(lambda: b"outage since" in shown.read_bytes(), timeout_s=PATIENCE_S)
        watching.send_signal(signal.SIGINT)
        assert watching.wait(timeout=PATIENCE_S) == 0
        return shown.read_text()

    def lose_power(self) -> None:
        """Kill every agent with what it started, without a word."""
        for agent in self.agents:
            if agent.poll() is None:
                agent.send_signal(signal.SIGKILL)
                agent.wait(timeout=PATIENCE_S)

    def evidence(self, name: str) -> tuple[str, str]:
        """Return the option that hands a file over as evidence."""
        (self.folder / name).write_text("what was seen")
        return ("--evidence", name)

    def slow_down_messages(self) -> None:
        """Let one mail and two posts hang: kept and not confirmed, and one post not even kept."""
        self.mail.faults.add(Fault(kind="slow", target="uri@both.example", hold_s=60))
        self.slack.faults.add(Fault(kind="commit_then_timeout", target=_POST, hold_s=60))
        self.slack.faults.add(Fault(kind="timeout", target=_POST, hold_s=60))

    def is_at_its_worst(self) -> bool:
        """Say whether an action and messages of both kinds are under way."""
        waiting = (*self.mail.faults.waiting(), *self.slack.faults.waiting())
        return not waiting and (self.folder / "order-dedicated").exists()

    def pass_time(self, **spans: float) -> None:
        """Move the clock of every process forward."""
        clock = self.folder / "clock"
        moved_s = float(clock.read_text()) if clock.exists() else 0.0
        new = self.folder / "clock.new"
        new.write_text(str(moved_s + timedelta(**spans).total_seconds()))
        new.rename(clock)

    def write_plan(self, **words: str) -> None:
        """Write the plan anew, with other words for what people are asked to do."""
        (self.folder / "blackstart.yaml").write_text(plan_text(self.around, **words))

    def read(self, name: str) -> str:
        """Return what stands in a file."""
        return (self.folder / name).read_text()

    @property
    def now(self) -> datetime:
        return clock_of(self.environment).now()

    # --- the record ---------------------------------------------------------------------------

    @property
    def journal(self) -> SqliteJournal:
        if self._journal is None:
            self._journal = open_journal(
                self.folder / "home" / "journal.db", clock_of(self.environment)
            )
        return self._journal

    @property
    def facts(self) -> tuple[Fact, ...]:
        self._read_on()
        return tuple(self._facts)

    @property
    def incident(self) -> Incident:
        self._read_on()
        assert self._incident is not None
        return self._incident

    def _read_on(self) -> None:
        """Read what was added since, as a driver does."""
        version = self.journal.version()
        if version == self._version:
            return
        self._version = version
        name = next(name for name in self.journal.chains() if name != "installation")
        for fact in self.journal.read(name, len(self._facts)):
            self._facts.append(fact)
            self._incident = advance(self._incident, fact)

    def wait(self, is_so: Callable[[Incident], object], what: str = "") -> Incident:
        """Wait until it is so in the record, and every message that is queued has ended."""
        held: list[Incident] = []

        def look() -> bool:
            held[:] = [self.incident]
            return bool(is_so(held[0]))

        assert wait_until(look, timeout_s=PATIENCE_S), f"{what}\n{self._how_it_stands()}"
        return held[0]

    def wait_for_ask(self, stem: str) -> str:
        """Wait until somebody is asked that, and return the name of the question."""
        state = self.wait(lambda i: _asked(i, stem), f"nobody is asked '{stem}'")
        return _asked(state, stem)[0]

    def wait_until_told(self) -> Incident:
        """Wait until every message has ended."""
        return self.wait(
            lambda i: all(notice.settled for notice in i.notices.values()), "messages are open"
        )

    def _how_it_stands(self) -> str:
        logs = "".join(path.read_text() for path in sorted(self.folder.glob("agent-*.log")))
        return self.run("status").out + self.run("timeline").out[-3000:] + logs

    # --- the witnesses ------------------------------------------------------------------------

    def letters(self) -> list[Letter]:
        """Return every mail that the server kept, one for each recipient."""
        found = []
        for path in sorted((self.folder / "mail").glob("*.eml")):
            mail = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
            found.append(
                Letter(
                    to=str(mail["To"]),
                    sender=str(mail["From"]),
                    subject=str(mail["Subject"]),
                    text=mail.get_content(),
                )
            )
        return found

    def posts(self) -> list[tuple[str, str, str]]:
        """Return (to whom, key, text) of every Slack message: `#incident` or a person."""
        rooms = {
            channel.id: next(
                (person for person, number in SLACK.items() if number in channel.members), ""
            )
            if channel.is_im
            else f"#{channel.name}"
            for channel in self.slack._workspace.state.channels
        }
        lines = (self.folder / "slack" / "messages.jsonl").read_bytes().splitlines()
        rows = [json.loads(line) for line in lines]
        return [
            (
                rooms[row["channel"]],
                row["message"]["metadata"]["event_payload"]["key"],
                row["message"]["text"],
            )
            for row in rows
        ]


def _asked(incident: Incident, stem: str) -> list[str]:
    return [ask.opened.ask for ask in incident.open_asks() if stem in ask.opened.ask]
