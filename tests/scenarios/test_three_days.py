# SPDX-License-Identifier: Apache-2.0
"""Three days of one incident: six people, two systems, one machine that dies in the middle of it.

Everything is done as on the day: separate commands of different people, an agent, one record. What
Slack and the mail server kept says who was told.
"""

from __future__ import annotations

import json
import re
import signal
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from blackstart.model import events as ev
from blackstart.model.incident import Incident, StepView
from blackstart.model.orders import PlanAmended
from blackstart.model.states import IncidentState, StepState
from blackstart.reports.timeline import timeline
from blackstart.world.clock import wait_until
from tests.days_plan import CUSTOMERS, PEOPLE
from tests.days_world import PATIENCE_S, Days

HOUR = timedelta(hours=1)
CLOUD, DEDICATED = ("--system", "cloud"), ("--system", "dedicated")


@pytest.fixture
def days(tmp_path: Path) -> Iterator[Days]:
    with Days(tmp_path) as opened:
        yield opened


def step_of(incident: Incident, system: str, step: str) -> StepView:
    run = next(run for run in incident.runs.values() if run.started.system == system)
    return run.step(step)


def wait_for_step(days: Days, system: str, step: str, state: StepState) -> None:
    days.wait(lambda i: step_of(i, system, step).state is state, f"{system} {step} is not {state}")


def test_three_days(days: Days) -> None:
    at_night_nobody_answers(days)
    the_options_stand_side_by_side(days)
    the_machine_dies_at_a_bad_moment(days)
    it_comes_back_seven_hours_later(days)
    what_a_machine_cannot_do_is_done_by_hand(days)
    the_shift_changes_and_traffic_moves(days)
    the_other_system_follows_under_a_waiver(days)
    it_is_closed_only_when_the_rules_allow(days)
    everybody_was_told_once(days)
    the_record_says_who_did_what_when(days)


def at_night_nobody_answers(days: Days) -> None:
    """The deputy is asked when the first in the chain sleeps on."""
    since = (days.now - timedelta(minutes=20)).replace(microsecond=0)
    local = since.astimezone(timezone(HOUR)).isoformat()  # as Eve's clock on the wall shows it
    words = ("--summary", "Nothing answers")
    days.run("report", "cloud", "dedicated", *words, "--since", local, by="eve")
    assert days.incident.outage_start == since
    again = days.start("report", "cloud", *words, by="ada")
    days.start_agent()
    assert "is open for cloud already" in days.refusal(again)
    days.wait_for_ask("acknowledge")
    days.pass_time(minutes=11)
    days.wait(lambda i: i.asks["acknowledge"].persons == ("ada", "ben"))
    assert "'dan' may not answer" in days.refused("acknowledge", ".", by="dan")
    days.steer("acknowledge", ".", "--why", "Ada sleeps", by="ben")


def the_options_stand_side_by_side(days: Days) -> None:
    """Teams answer, people estimate, the commander waits for the vendor, then activates."""
    days.wait_for_ask("decision")
    days.steer("answer", ".", "engineering", "All hosts are gone.", by="dan")
    days.steer("ask", ".", "devops", "Are the backups whole?", "--within", "30m", by="ada")
    days.steer("assess", ".", "The region is lost.", "--found", "database=lost: mute", by="eve")
    days.steer("estimate", ".", "wait", "4h", "--data-lost", "none", by="finn", in_json=True)
    days.steer("estimate", ".", "rebuild", "3h", *CLOUD, by="dan")
    days.pass_time(minutes=31)
    days.wait(lambda i: i.asks["question:3:devops"].persons == ("eve", "ada"))
    text = days.run("status").out
    assert "driven by" in text, "the agent holds its claim although the clock jumped"
    assert re.search(r"wait +4 h +met +none +not known +finn", text)
    assert re.search(r"rebuild +3 h +met .* dan", text)
    days.steer("answer", ".", "question:3", "Yes, both.", by="eve")
    days.steer("announce", ".", "We wait for the vendor.", by="ada")
    days.steer("activate", ".", "--option", "wait", "--why", "they say 4 h", by="ada")
    days.wait_for_ask("decision:2")
    days.pass_time(hours=4)
    days.wait_until_told()


def the_machine_dies_at_a_bad_moment(days: Days) -> None:
    """An action and messages are under way, the plan was just amended, somebody looks on."""
    days.slow_down_messages()
    days.steer("activate", ".", "--why", "the vendor is still down", by="ada")
    days.wait_for_ask("assess_damage:fence")
    days.steer("step", "done", ".", "assess_damage", *DEDICATED, by="eve")
    days.write_plan(restore="Restore through the second door.")
    amended = days.steer("amend", ".", "--why", "the vault has another door", by="ada")
    assert re.search(r"^-.*Restore the newest backup", amended.out, re.MULTILINE)
    assert re.search(r"^\+.*Restore through the second door", amended.out, re.MULTILINE)
    days.write_plan(restore="Restore through the second door.", fence="Fence both sites of kim.")
    late = days.start("amend", ".", "--why", "too late", by="ada")
    assert "'assess_damage' of dedicated has begun" in days.refusal(late)
    assert wait_until(days.is_at_its_worst, timeout_s=PATIENCE_S)
    days.lose_power()


def it_comes_back_seven_hours_later(days: Days) -> None:
    """What was due is done at once, what was under way is looked at first."""
    before = days.facts[-1].seq
    days.pass_time(hours=7)
    (days.folder / "room").touch()
    days.start_agent()
    wait_for_step(days, "dedicated", "create_environment", StepState.VERIFIED)
    days.wait_until_told()
    assert days.read("order-dedicated") == "again\nagain\n"  # once cut off, once to its end
    since = [fact.event for fact in days.facts if fact.seq > before]
    looked = [event.finding for event in since if isinstance(event, ev.ActionInspected)]
    assert looked == ["partial"]
    late = [event for event in since if isinstance(event, ev.AskEscalated)]
    assert [event.person for event in late] == ["ada"]
    assert all(event.late_s > 5 * 3600 for event in late)
    outage = next(n for n in days.incident.notices.values() if n.queued.kind == "outage")
    assert outage.settled is not None


def what_a_machine_cannot_do_is_done_by_hand(days: Days) -> None:
    """A step fails and is finished by hand; a check fails, is put right and asked again."""
    shown = days.evidence("found.txt")
    assess = ("step", "done", ".", "assess_damage", *CLOUD)
    lacking = [
        days.start(*assess, by="eve"),
        days.start(*assess, "--output", "restore_point=nightly-27", by="eve"),
    ]
    assert "--output restore_point=VALUE" in days.refusal(lacking[0])
    assert "Add --evidence FILE" in days.refusal(lacking[1])
    days.steer(*assess, "--output", "restore_point=nightly-27", *shown, by="eve")
    days.wait_for_ask("create_environment")
    days.steer("step", "done", ".", "create_environment", *CLOUD, by="eve")
    days.wait_for_ask("secure_environment")
    days.steer("step", "done", ".", "secure_environment", *CLOUD, *shown, by="eve", in_json=True)
    days.wait_for_ask("stopped")
    wait_for_step(days, "cloud", "deploy_platform", StepState.VERIFIED)
    undo = ("step", "undo", ".", "deploy_platform", *CLOUD, "--why", "wrong release")
    days.steer(*undo, by="ada")
    wait_for_step(days, "cloud", "deploy_platform", StepState.WAITING)
    assert not (days.folder / "site" / "release").exists()
    days.steer("resume", ".", by="ada")
    wait_for_step(days, "cloud", "deploy_platform", StepState.VERIFIED)
    assert days.read("site/release/version") == "2.4.0\n"
    by_hand = ("step", "done", ".", "restore_data", *CLOUD, *shown, "--output")
    wrong = days.start(*by_hand, "recovered_to=yesterday", by="dan")
    assert "no moment with its zone" in days.refusal(wrong)
    recovered_to = days.incident.outage_start - timedelta(minutes=40)
    days.steer(*by_hand, f"recovered_to={recovered_to.isoformat()}", by="dan")
    wait_for_step(days, "cloud", "verify_platform", StepState.FAILED)
    days.page = b"we are all here"
    days.steer("step", "retry", ".", "verify_platform", *CLOUD, by="dan")
    wait_for_step(days, "cloud", "verify_platform", StepState.VERIFIED)


def the_shift_changes_and_traffic_moves(days: Days) -> None:
    """The card says how things stand; the gate is held first, then opened by who took over."""
    card = days.steer("handover", ".", "--to", "ben", by="ada").out
    for part in ("HAND-OVER of", "OPEN QUESTIONS", "CTO: Ada Northcote", "Users wait", "TOLD"):
        assert (part in card) is (part != "Users wait"), card
    days.steer("pause", ".", "--why", "until the morning", by="ben", in_json=True)
    days.pass_time(hours=8)
    days.wait(lambda i: len(news(i)) == 2, "users hear again while everything is paused")
    days.steer("resume", ".", by="ben")
    shown = days.evidence("found.txt")
    days.steer("step", "done", ".", "verify_observability", *CLOUD, *shown, by="eve")
    days.wait_for_ask("gate")
    assert days.incident.asks[days.wait_for_ask("gate")].persons == ("ben",)
    held = ("--why", "customers are at work")
    days.steer("reject", ".", "update_dns", *CLOUD, *held, by="ben")
    days.wait_for_ask("update_dns#2")
    assert step_of(days.incident, "cloud", "update_dns").state is StepState.WAITING
    days.steer("approve", ".", "update_dns", *CLOUD, by="ben", in_json=True)
    move_traffic(days, "cloud")
    wait_for_step(days, "cloud", "announce_recovery", StepState.VERIFIED)
    refused = days.refused("stand-down", ".", "--why", "enough", by="ben")
    assert "past the point of no return" in refused


def move_traffic(days: Days, system: str) -> None:
    days.wait_for_ask("update_dns:move")
    first = days.now.replace(microsecond=0) - timedelta(minutes=5)
    full = first + timedelta(minutes=3)
    outputs = (
        "--output",
        f"first_service_at={first.isoformat()}",
        "--output",
        f"full_service_at={full.isoformat()}",
    )
    shown = days.evidence("found.txt")
    days.steer("step", "done", ".", "update_dns", "--system", system, *outputs, *shown, by="eve")
    days.expected[f"{system}:first_service"] = (first - days.incident.outage_start).total_seconds()
    days.expected[f"{system}:full_service"] = (full - days.incident.outage_start).total_seconds()


def news(incident: Incident) -> list[str]:
    return [
        name
        for name, notice in incident.notices.items()
        if notice.queued.kind == "update" and notice.queued.channel == "users"
    ]


def the_other_system_follows_under_a_waiver(days: Days) -> None:
    """A hard rule is set aside by two people for two hours, and everybody is told."""
    days.pass_time(hours=7)
    days.wait(lambda i: len(news(i)) == 3, "users hear again")
    shown = days.evidence("found.txt")
    recovered_to = days.incident.outage_start - timedelta(minutes=90)
    days.steer(
        "step",
        "done",
        ".",
        "restore_data",
        *DEDICATED,
        *shown,
        "--output",
        f"recovered_to={recovered_to.isoformat()}",
        by="dan",
    )
    days.wait_for_ask("verify_observability")
    down = ("--why", "the monitoring vendor is down")
    days.steer("answer", ".", "verify_observability", "failed", *down, by="eve")
    days.wait_for_ask("stopped")
    skip = ("step", "skip", ".", "verify_observability", *DEDICATED, *down)
    waive = ("waive", ".", "verified-before-traffic", *down, "--for", "2h", "--second")
    too_soon = [days.start(*skip, by="ben"), days.start(*waive, "ben", by="ben")]
    assert "keeps a hard rule" in days.refusal(too_soon[0])
    assert "two people" in days.refusal(too_soon[1])
    days.steer(*waive, "dan", by="ben")
    days.steer(*skip, by="ben")
    days.wait_for_ask("gate")
    days.steer("approve", ".", "update_dns", *DEDICATED, by="ben")
    move_traffic(days, "dedicated")
    days.wait(lambda i: i.state is IncidentState.RESTORED)


def it_is_closed_only_when_the_rules_allow(days: Days) -> None:
    """The environment is not protected again; a waiver that ran out does not help."""
    days.wait_for_ask("signoff")
    waive = ("waive", ".", "protected-before-close", "--why", "the vault is rebuilt", "--for", "1h")
    assert "is not protected" in days.refused("close", ".", by="ben")
    days.steer(*waive, "--second", "ada", by="ben", in_json=True)
    days.pass_time(hours=2)
    assert "is not protected" in days.refused("close", ".", by="ben")
    days.steer(*waive, "--second", "ada", by="ben")
    days.steer("close", ".", "--why", "signed by all", by="ben")
    days.wait_until_told()
    name = days.incident.id
    after = [days.start("announce", name, "x", by="ben"), days.start("close", name, by="ben")]
    assert "The incident is closed" in days.refusal(after[0])
    assert "closed" in days.refusal(after[1])


def everybody_was_told_once(days: Days) -> None:
    """Asked of those who got it: the mail server and Slack, not our own record."""
    cloud, dedicated = (set(CUSTOMERS[system].values()) for system in ("cloud", "dedicated"))
    got = Counter((letter.to, letter.subject) for letter in days.letters())
    both = "cloud and dedicated"
    wanted = Counter(
        {
            **{(to, f"{both} are unavailable"): 1 for to in cloud | dedicated},
            **{(to, f"{both}: how the restoration stands"): 3 for to in cloud | dedicated},
            **{(to, "cloud is available again"): 1 for to in cloud},
            **{(to, "dedicated is available again"): 1 for to in dedicated},
        }
    )
    assert got == wanted
    last = [one.text for one in days.letters() if "restoration stands" in one.subject][-1]
    assert "cloud works again since" in last
    assert "\ndedicated cannot be reached since" in last.replace("\r", "")
    good = next(one.text for one in days.letters() if one.subject == "dedicated is available again")
    assert "The rule 'verified-before-traffic' was set aside" in good
    assert "Not whole: verify logging, monitoring, alerting." in good
    posts = days.posts()
    assert len({key for _, key, _ in posts}) == len(posts), "no message came twice"
    active = Counter(
        to for to, _, text in posts if "are unavailable" in text or "is activated" in text
    )
    assert active == Counter(["#incident", "dan", "eve", "cleo"])
    first = Counter(to for to, _, text in posts if "needed (acknowledge)" in text)
    assert first == Counter({"ada": 2, "ben": 1})
    sent = sum(
        notice.queued.recipients
        for notice in days.incident.notices.values()
        if notice.queued.channel in ("incident", "staff")
    )
    assert len(posts) == sent, "what was queued arrived"


def the_record_says_who_did_what_when(days: Days) -> None:
    """The readers agree with each other, whether they print for people or for programs."""
    reading = [
        days.start(*words)
        for words in (
            ("timeline",),
            ("timeline", "--json"),
            ("status",),
            ("status", "--json"),
            ("postmortem",),
            ("postmortem", "--json"),
            ("journal", "verify"),
            ("journal", "verify", "--json"),
        )
    ]
    said = [days.ended(one) for one in reading]
    lines = said[0].out.splitlines()
    assert all(re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC  ", line) for line in lines)
    assert [line[50:] for line in lines] == [row.sentence for row in timeline(days.facts, PEOPLE)]
    assert [fact["digest"] for fact in said[1].json] == [fact.digest for fact in days.facts]
    days_passed = days.facts[-1].at.date() - days.facts[0].at.date()
    assert days_passed >= timedelta(days=1)
    who = {fact.actor for fact in days.facts}
    assert who >= {"ada", "ben", "dan", "eve", "finn"}
    assert sum(isinstance(fact.event, PlanAmended) for fact in days.facts) == 1
    row = said[3].json[0]
    assert f"{row['incident']}  closed" in said[2].out
    measured = {
        name: (
            datetime.fromisoformat(one["end"]) - datetime.fromisoformat(one["start"])
        ).total_seconds()
        for name, one in row["measures"].items()
    }
    days.expected |= {"cloud:rpo:database": 40 * 60.0, "dedicated:rpo:database": 90 * 60.0}
    assert measured == days.expected
    draft = said[5].json["document"]
    assert said[4].out == draft + "\n"
    assert "| Data loss of database (RPO), dedicated | ≤ 1 h 30 min | 1 h | NO |" in draft
    assert "The recovery stopped" not in draft
    assert "| Hard rule “verified-before-traffic” | set aside until" in draft
    assert said[6].out.endswith("Every chain is whole.\n")
    assert said[7].json["faults"] == []
    heads = [
        re.search(r"fact (\d+) = (\w+)", text) for to, _, text in days.posts() if to == "#incident"
    ]
    assert all(head and days.facts[int(head[1]) - 1].digest.startswith(head[2]) for head in heads)
    assert row["incident"] in days.look_on()
    assert days.agents[-1].poll() is None
    days.agents[-1].send_signal(signal.SIGTERM)
    assert days.agents[-1].wait(timeout=PATIENCE_S) == 0


def test_a_false_alarm_is_driven_from_one_terminal_and_stood_down(days: Days) -> None:
    """Without an agent each command says so, and `recover` drives until a person is needed."""
    said = days.run("report", "dedicated", "--summary", "It blinked", "--json", by="eve")
    name = said.json["incident"]
    waits = days.run("recover", ".", code=5)
    assert "waits for a person (acknowledge)" in waits.err
    assert "Asked Ada Northcote to acknowledge: It blinked" in waits.out
    taken = days.steer("acknowledge", ".", by="ada")
    assert f"Nobody drives {name}" in taken.err
    twice = [days.start("acknowledge", ".", by="ben"), days.start("close", ".", by="ada")]
    assert "taken the incident on already" in days.refusal(twice[0])
    assert "nothing to sign off yet" in days.refusal(twice[1])
    days.steer("stand-down", ".", "--why", "It works, seen from outside.", by="ada")
    facts = [json.loads(line) for line in days.run("recover", ".", "--json").out.splitlines()]
    assert facts[-1]["digest"] == days.facts[-1].digest
    days.steer("close", ".", by="ada", in_json=True)
    assert days.incident.state is IncidentState.CLOSED
    assert not days.letters(), "no user was told of what was no outage"
    kinds = Counter(text.split("*")[1] for to, _, text in days.posts() if to == "#incident")
    assert kinds >= Counter([f"Incident {name}: dedicated is down", f"Incident {name}: stood down"])
