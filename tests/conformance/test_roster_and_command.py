# SPDX-License-Identifier: Apache-2.0
"""roster.open and command.run: good, bad, cut off, and asked again."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from blackstart.ports.action import Action, Check, Done, Failed, NotDone, Outcome, Partial, Unknown
from blackstart.ports.secrets import SecretRef
from blackstart.providers.command import Run
from blackstart.providers.roster import Open
from blackstart.providers.traces import begin
from tests.provider_stage import KEY, Stage

ROSTER_KEY = SecretRef("secret:test/roster")
ADA = {"person": "u-1", "name": "Ada", "email": "ada@example.com", "teams": ["A"], "instances": []}
BOB = {"person": "u-2", "name": "Bob", "email": "", "teams": [], "instances": []}
LONG_AGO_S = 1_600_000_000


@pytest.fixture
def stage() -> Stage:
    return Stage(secrets={ROSTER_KEY.name: Fernet.generate_key().decode()})


def sealed(stage: Stage, folder: Path, *rows: object, at_s: int | None = None) -> Open:
    path = folder / "roster.sealed"
    fernet, content = Fernet(stage.secrets[ROSTER_KEY.name]), json.dumps(rows).encode()
    path.write_bytes(
        fernet.encrypt(content) if at_s is None else fernet.encrypt_at_time(content, at_s)
    )
    return Open(roster=str(path), key=ROSTER_KEY, audience="affected")


def failure_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Failed), outcome
    assert outcome.hint
    return outcome.summary


def test_the_people_of_a_roster_become_an_audience(stage: Stage, tmp_path: Path) -> None:
    check = sealed(stage, tmp_path, ADA)
    assert isinstance(check, Check)
    done = check.check(stage.context())
    assert isinstance(done, Done), done
    (ada,) = stage.people["affected"]
    assert (ada.id, ada.addresses, ada.teams) == ("u-1", {"email": "ada@example.com"}, ("A",))
    assert done.outputs["people"] == 1
    assert done.sightings[0].condition == "intact"
    assert done.degraded == ""
    assert "ada@example.com" not in repr(done)
    again = replace(check, known_digest=str(done.outputs["digest"])).check(stage.context())
    assert isinstance(again, Done)
    assert again.sightings[0].condition == "intact"


@pytest.mark.parametrize(
    ("rows", "at_s", "known", "doubt"),
    [
        ((ADA, BOB), None, "", "1 without an address"),
        ((ADA,), LONG_AGO_S, "", "older than 8 days"),
        ((ADA,), None, "0" * 64, "it changed"),
    ],
)
def test_a_doubtful_roster_is_said_and_still_used(
    stage: Stage, tmp_path: Path, rows: tuple[object, ...], at_s: int | None, known: str, doubt: str
) -> None:
    check = replace(sealed(stage, tmp_path, *rows, at_s=at_s), known_digest=known)
    done = check.check(stage.context())
    assert isinstance(done, Done), done
    assert doubt in done.degraded
    assert done.sightings[0].condition == "degraded"
    assert len(stage.people["affected"]) == len(rows)


def test_a_roster_that_is_none_is_refused(stage: Stage, tmp_path: Path) -> None:
    assert "is empty" in failure_of(sealed(stage, tmp_path).check(stage.context()))
    wrong = sealed(stage, tmp_path, {"name": "no id"}).check(stage.context())
    assert "is no list of people" in failure_of(wrong)
    check = sealed(stage, tmp_path, ADA)
    content = Path(check.roster).read_bytes()
    Path(check.roster).write_bytes(content[:-9] + b"A" + content[-8:])
    assert "wrong key, or it was altered" in failure_of(check.check(stage.context()))
    Path(check.roster).unlink()
    failure_of(check.check(stage.context()))
    stage.secrets[ROSTER_KEY.name] = "no key"
    assert "cannot be opened" in failure_of(sealed_as_is(check, tmp_path).check(stage.context()))
    assert stage.people == {}


def sealed_as_is(check: Open, folder: Path) -> Open:
    (folder / "other").write_bytes(b"x")
    return replace(check, roster=str(folder / "other"))


def python(code: str, folder: Path) -> Run:
    return Run(argv=(sys.executable, "-c", code), traces=str(folder / "traces"))


def test_a_command_is_run_once_and_its_trace_found(stage: Stage, tmp_path: Path) -> None:
    run = python("print('first'); print('last')", tmp_path)
    assert isinstance(run, Action)
    assert "would be run on this machine" in run.preview(stage.context())
    assert isinstance(run.inspect(stage.context()), NotDone)
    done = run.perform(stage.context())
    assert isinstance(done, Done), done
    assert (done.outputs["code"], done.outputs["text"]) == (0, "last")
    found = run.inspect(stage.context())
    assert isinstance(found, Done)
    assert found.outputs == done.outputs
    assert isinstance(run.inspect(stage.context(key=KEY + "2")), NotDone)
    assert any(content == b"first\nlast\n" for content in stage.evidence.values())


def test_another_exit_code_is_a_failure(stage: Stage, tmp_path: Path) -> None:
    run = python("import sys; sys.exit('disk is full')", tmp_path)
    said = failure_of(run.perform(stage.context()))
    assert "ended with 1, expected 0: disk is full" in said
    assert isinstance(replace(run, expected_code=1).perform(stage.context()), Done)


def test_what_cannot_be_run_is_a_failure(stage: Stage, tmp_path: Path) -> None:
    failure_of(replace(python("", tmp_path), argv=("/no/such/program",)).perform(stage.context()))
    failure_of(replace(python("", tmp_path), argv=()).perform(stage.context()))
    failure_of(replace(python("", tmp_path), traces="").perform(stage.context()))


def test_a_command_ends_at_the_deadline_and_on_request(stage: Stage, tmp_path: Path) -> None:
    forever = python("import threading; threading.Event().wait()", tmp_path)
    assert "not ended after" in failure_of(forever.perform(stage.context(limit_s=0.4)))
    stage.is_cancelled = True
    assert "cancelled" in failure_of(forever.perform(stage.context()))


def test_only_a_repeatable_command_is_repeated_after_a_death(stage: Stage, tmp_path: Path) -> None:
    run = python("pass", tmp_path)
    (tmp_path / "traces").mkdir()
    begin(tmp_path / "traces", "command.run", stage.context())
    assert isinstance(run.inspect(stage.context()), Unknown)
    assert isinstance(replace(run, repeatable=True).inspect(stage.context()), Partial)


def test_altered_addresses_are_said_and_not_used(stage: Stage, tmp_path: Path) -> None:
    earlier = tmp_path / "earlier"
    earlier.mkdir()
    before = sealed(stage, earlier, ADA)
    check = replace(sealed(stage, tmp_path, ADA, BOB), earlier=before.roster)
    assert isinstance(check.check(stage.context()), Done)
    altered = {**ADA, "email": "mallory@example.org"}
    bad = replace(sealed(stage, tmp_path, altered, BOB), earlier=before.roster)
    assert "1 of 1 addresses" in failure_of(bad.check(stage.context()))
    told = {one.id: one.addresses.get("email") for one in stage.people["affected"]}
    assert told == {"u-1": "ada@example.com", "u-2": None}
    unknown = replace(bad, earlier=str(tmp_path / "none"))
    assert isinstance(unknown.check(stage.context()), Done)
