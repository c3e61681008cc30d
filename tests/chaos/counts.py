# SPDX-License-Identifier: Apache-2.0
"""What a quick day left in the world, counted; and the end that its record tells."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from blackstart.cli.follow import Followed
from blackstart.model import events as ev
from blackstart.model.incident import Incident
from blackstart.model.orders import StepUndone
from blackstart.ports.journal import QueuedDelivery
from blackstart.providers.email import message_id_of
from blackstart.sandbox.layout import Layout
from blackstart.sandbox.received import mails, slack_messages
from blackstart.world import process
from blackstart.world.file_trees import measure
from blackstart.world.namespaces import residents
from blackstart.world.sites import list_sites
from tests.chaos.quick import NAME, NEW_ADDRESS, Quick

_TOLD = frozenset({"outage", "recovered"})  # kinds that every day tells alike
_BY_SITE = frozenset({"sleep", "bash"})  # what a site's init is made of


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of an incident, as far as deaths may not change it."""

    state: str
    steps: tuple[tuple[str, str], ...]
    told: tuple[tuple[str, str, str, int], ...]  # kind, channel, audience, how many recipients
    uncertain: frozenset[str]  # steps that told over a channel which cannot be asked, and lost one

    def differences(self, other: End) -> Iterator[str]:
        """Yield what differs from the undisturbed end, beyond what uncertain messages explain."""
        if self.state != other.state:
            yield f"it is {self.state}, undisturbed {other.state}"
        there = dict(other.steps)
        for name, state in self.steps:
            is_explained = state == "degraded" and name in self.uncertain
            if state != there.get(name) and not is_explained:
                yield f"{name} is {state}, undisturbed {there.get(name)}"
        for gone in sorted(there.keys() - dict(self.steps).keys()):
            yield f"{gone} is not there"
        if self.told != other.told:
            yield f"told {self.told}, undisturbed {other.told}"


def end_of(incident: Incident) -> End:
    """Return the end that the record tells."""
    steps = [
        (name, str(step.state))
        for run in incident.runs.values()
        for name, step in sorted(run.steps.items())
    ]
    told = [
        (one.queued.kind, one.queued.channel, one.queued.audience, one.queued.recipients)
        for one in incident.notices.values()
        if one.queued.kind in _TOLD
    ]
    return End(
        state=str(incident.state),
        steps=tuple(steps),
        told=tuple(sorted(told)),
        uncertain=frozenset(
            one.queued.step
            for one in incident.notices.values()
            if one.settled and one.settled.uncertain
        ),
    )


def count_problems(quick: Quick, followed: Followed) -> tuple[int, list[str]]:
    """Count every effect in the world; return how many there are, and what is wrong."""
    incident = followed.incident
    assert incident is not None
    keys = {fact.event.key for fact in followed.facts if isinstance(fact.event, ev.ActionStarted)}
    rows = followed.home.journal.deliveries(incident.id)
    problems = [
        *(f"the journal: {fault}" for fault in followed.home.journal.verify()),
        *_of_record(followed),
        *commands_problems(quick, keys),
        *_of_database(quick),
        *_of_site(quick),
        *_of_name(quick),
        *_of_slack(quick, [row for row in rows if row.channel == "incident"]),
        *_of_mail(quick, [row for row in rows if row.channel in ("staff", "users")]),
    ]
    return len(keys) + len(rows), problems


def _of_record(followed: Followed) -> Iterator[str]:
    started = Counter(f.event.key for f in followed.facts if isinstance(f.event, ev.ActionStarted))
    yield from (f"{key} was begun {n} times" for key, n in started.items() if n > 1)
    done = Counter(
        (fact.event.run, fact.event.step, fact.event.action)
        for fact in followed.facts
        if isinstance(fact.event, ev.ActionEnded) and fact.event.outcome == "done"
    )
    undone = Counter(f.event.step for f in followed.facts if isinstance(f.event, StepUndone))
    for name, times in done.items():
        if times > 1 + undone[name[1]]:
            yield f"{'.'.join(name[1:])} was done {times} times"


def commands_problems(quick: Quick, keys: set[str]) -> Iterator[str]:
    """Each attempt had its effect at most once, none worked beside another, and one ended well."""
    for effect, most in (
        (quick.root / "once", 1),
        (quick.root / "parts", len(keys)),
        (quick.site / "app" / "inside", len(keys)),
    ):
        lines = _lines(effect)
        if not 1 <= len(lines) <= most:
            yield f"{effect.name} was done {len(lines)} times"
        if len(set(lines)) != len(lines):
            yield f"{effect.name} was done twice under one key: {lines}"
        if unknown := set(lines) - keys - {"by hand"}:
            yield f"{effect.name} was done under keys that the record does not know: {unknown}"
        if beside := _lines(effect.with_suffix(".doubled")):
            yield f"{effect.name} was done by two at once: {beside}"
    mine = {"BLACKSTART_TRACES": str(quick.root / "traces")}
    if left := process.with_environment(mine):
        yield f"commands still run: {left}"


def _of_database(quick: Quick) -> Iterator[str]:
    rows = quick.server.sql(f"SELECT count(*), count(DISTINCT n) FROM {quick.schema}.rows")
    marks = quick.server.sql(f"SELECT count(*) FROM {quick.schema}.blackstart_marker")
    if (rows, marks) != ("1000|1000", "1"):
        yield f"the table holds {rows} rows (all|different) and {marks} marks, expected 1000 and 1"


def _of_site(quick: Quick) -> Iterator[str]:
    living = [site for site in list_sites(quick.root / "sites") if site.name == "recovery"]
    if len(living) != 1:
        yield f"{len(living)} sites live"
        return
    there = Counter(one.command for one in residents(living[0]) if one.command not in _BY_SITE)
    if sum(there.values()) != 1 or not next(iter(there)).startswith("python"):
        yield f"in the site run {dict(there)}, expected one web server"
    app = quick.site / "app"
    if (app / "app.conf").read_text() != "port=8080\n":
        yield "the configuration is not what the template says"
    if measure(app / "tree").digest != measure(quick.root / "tree").digest:
        yield "the copied tree is not the source"
    if left := [path.name for path in app.iterdir() if "blackstart-new" in path.name]:
        yield f"drafts are left: {left}"
    if not (quick.root / "sites" / "old.fenced").exists():
        yield "the old site is not fenced"


def _of_name(quick: Quick) -> Iterator[str]:
    values = quick.authority.values(f"{NAME}.", "A")
    if values != [NEW_ADDRESS]:
        yield f"the name points to {values}"


def _of_slack(quick: Quick, rows: list[QueuedDelivery]) -> Iterator[str]:
    """A channel that can be asked ends with exactly one message for each delivery."""
    lines = slack_messages(Layout(quick.root))
    posted = Counter(_key_of(line.message.metadata or {}) for line in lines)
    yield from (f"Slack has {key} {n} times" for key, n in posted.items() if n > 1)
    if states := {row.state for row in rows} - {"accepted"}:
        yield f"messages to Slack ended as {states}"
    if posted.keys() != {row.key for row in rows}:
        yield f"Slack has {len(posted)} messages, the record {len(rows)}"


def _key_of(metadata: Mapping[str, object]) -> str:
    payload = metadata.get("event_payload")
    return str(payload.get("key")) if isinstance(payload, dict) else ""


def _of_mail(quick: Quick, rows: list[QueuedDelivery]) -> Iterator[str]:
    """No mail came twice; what was accepted came; what is missing was counted as uncertain."""
    came = Counter(mail.message_id for mail in mails(Layout(quick.root)))
    yield from (f"the mail {name} came {n} times" for name, n in came.items() if n > 1)
    senders = {"staff": "incident@chaos.test", "users": "status@chaos.test"}
    known = {message_id_of(row.key, senders[row.channel]): row.state for row in rows}
    for name, state in known.items():
        if state not in ("accepted", "uncertain"):
            yield f"the mail {name} ended as {state}"
        if state == "accepted" and name not in came:
            yield f"the mail {name} counts as accepted and did not come"
    if strange := came.keys() - known.keys():
        yield f"mails came that nobody queued: {strange}"


def _lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []
