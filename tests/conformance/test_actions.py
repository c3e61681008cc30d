# SPDX-License-Identifier: Apache-2.0
"""What every action keeps to, shown on those that need no site of their own.

Previewing changes nothing; performing leaves what `inspect` finds, with the same outputs; a death
in the middle is never taken for done, and a new attempt ends well after it.
"""

from __future__ import annotations

import hashlib
import multiprocessing
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import NoReturn

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from blackstart.ports.action import Action, Context, Done, Failed, NotDone, Partial
from blackstart.ports.secrets import SecretRef
from blackstart.providers.secrets import Generate
from blackstart.providers.site import Create, Fence
from blackstart.providers.tls import Issue
from blackstart.sandbox.pki import make_pki
from tests.provider_stage import KEY, Stage

AGAIN = KEY.replace("/1", "/2")


def issue(folder: Path) -> Action:
    make_pki(folder / "pki")
    (folder / "front").mkdir(exist_ok=True)
    return Issue(
        ca_certificate=str(folder / "pki" / "ca.pem"),
        ca_key=SecretRef("secret:test/ca"),
        names=("app.flowfuse.test",),
        addresses=("10.70.0.20",),
        into=str(folder / "front"),
        owner="root",
    )


def fence(folder: Path) -> Action:
    return Fence(place=str(folder), site="production")


def generate(_: Path) -> Action:
    return Generate(names=("cookie_secret", "database_password"))


MAKERS: Mapping[str, Callable[[Path], Action]] = {
    "tls.issue": issue,
    "site.fence": fence,
    "secrets.generate": generate,
}
REPEATABLE = {"secrets.generate"}  # `inspect` says NotDone always, and repeating adds nothing


def stage_of(folder: Path) -> Stage:
    key = folder / "pki" / "ca.key"
    return Stage(secrets={"secret:test/ca": key.read_text() if key.exists() else ""})


def picture(folder: Path) -> dict[str, str]:
    """Return every file below the folder with its digest."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.mark.parametrize("name", MAKERS)
def test_a_preview_changes_nothing(name: str, tmp_path: Path) -> None:
    action = MAKERS[name](tmp_path)
    before = picture(tmp_path)
    stage = stage_of(tmp_path)
    assert len(action.preview(stage.context())) > 20
    assert picture(tmp_path) == before
    assert stage.evidence == {}


@pytest.mark.parametrize("name", MAKERS)
def test_what_was_performed_is_found_by_its_key_alone(name: str, tmp_path: Path) -> None:
    action = MAKERS[name](tmp_path)
    stage = stage_of(tmp_path)
    assert isinstance(action.inspect(stage.context()), NotDone)
    done = action.perform(stage.context())
    assert isinstance(done, Done), done
    assert set(done.outputs) <= set(action.outputs)
    assert done.summary
    before = picture(tmp_path)
    found = action.inspect(stage.context())
    other = action.inspect(stage.context(key=AGAIN))
    assert picture(tmp_path) == before
    assert isinstance(other, NotDone)
    if name not in REPEATABLE:
        assert isinstance(found, Done)
        assert found.outputs == done.outputs


@pytest.mark.parametrize("name", MAKERS)
def test_a_new_attempt_ends_well_after_an_earlier_one(name: str, tmp_path: Path) -> None:
    action = MAKERS[name](tmp_path)
    stage = stage_of(tmp_path)
    first = action.perform(stage.context())
    second = action.perform(stage.context(key=AGAIN))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert isinstance(action.inspect(stage.context()), NotDone)


def die(*_: object) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("it lives on")


def dying_now() -> datetime:
    die()


def dying_at(context: Context, moment: str) -> Context:
    """Return a context with which the program is killed at its first call of that name."""
    if moment == "now":
        return replace(context, now=dying_now)
    if moment == "keep":
        return replace(context, keep=die)
    return replace(context, reveal=die)


def perform_and_die(name: str, folder: Path, moment: str) -> None:
    MAKERS[name](folder).perform(dying_at(stage_of(folder).context(), moment))


@pytest.mark.parametrize(
    ("name", "moment"),
    [("tls.issue", "reveal"), ("tls.issue", "now"), ("tls.issue", "keep"), ("site.fence", "now")],
)
def test_a_death_in_the_middle_is_never_taken_for_done(
    name: str, moment: str, tmp_path: Path
) -> None:
    action = MAKERS[name](tmp_path)
    spawn = multiprocessing.get_context("spawn")
    victim = spawn.Process(target=perform_and_die, args=(name, tmp_path, moment))
    victim.start()
    victim.join(30)
    assert victim.exitcode == -signal.SIGKILL
    stage = stage_of(tmp_path)
    assert isinstance(action.inspect(stage.context()), NotDone | Partial)
    assert isinstance(action.perform(stage.context(key=AGAIN)), Done)
    assert isinstance(action.inspect(stage.context(key=AGAIN)), Done)


def test_an_issued_certificate_is_for_its_names_and_its_key_is_private(tmp_path: Path) -> None:
    assert isinstance(issue(tmp_path).perform(stage_of(tmp_path).context()), Done)
    front = tmp_path / "front"
    found = x509.load_pem_x509_certificates((front / "web.pem").read_bytes())
    names = found[0].extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app.flowfuse.test"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["10.70.0.20"]
    found[0].verify_directly_issued_by(found[1])
    key = load_pem_private_key((front / "web.key").read_bytes(), password=None)
    assert key.public_key() == found[0].public_key()
    assert (front / "web.key").stat().st_mode & 0o777 == 0o600


def test_a_certificate_replaced_by_another_is_not_taken_for_ours(tmp_path: Path) -> None:
    action, stage = issue(tmp_path), stage_of(tmp_path)
    assert isinstance(action.perform(stage.context()), Done)
    stranger = make_pki(tmp_path / "pki").issue("app.flowfuse.test")
    (tmp_path / "front" / "web.pem").write_bytes(stranger.certificate)
    assert isinstance(action.inspect(stage.context()), NotDone)


def test_a_secret_sealed_once_keeps_its_value(tmp_path: Path) -> None:
    stage = Stage()
    done = generate(tmp_path).perform(stage.context())
    assert isinstance(done, Done)
    assert done.outputs["cookie_secret"] == "secret:run/cookie_secret"
    first = dict(stage.secrets)
    generate(tmp_path).perform(stage.context(key=AGAIN))
    assert stage.secrets == first
    assert len(set(first.values())) == 2
    assert all(len(value) >= 40 for value in first.values())
    assert not any(value in repr(done) for value in first.values())


def test_a_fence_keeps_its_first_moment_and_its_name_is_taken(tmp_path: Path) -> None:
    stage = Stage()
    first = fence(tmp_path).perform(stage.context())
    second = fence(tmp_path).perform(stage.context(key=AGAIN))
    assert isinstance(first, Done)
    assert isinstance(second, Done)
    assert first.outputs == second.outputs
    create = Create(place=str(tmp_path), site="production", address="10.70.0.20", hub="")
    refused = create.perform(stage.context())
    assert isinstance(refused, Failed)
    assert "fenced" in refused.summary
    assert not (tmp_path / "production").exists()


def test_a_folder_of_somebody_else_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "recovery").mkdir()
    (tmp_path / "recovery" / "precious").write_text("data")
    create = Create(place=str(tmp_path), site="recovery", address="10.70.0.20", hub="")
    refused = create.perform(Stage().context())
    assert isinstance(refused, Failed)
    assert "not made by this run" in refused.summary
    assert (tmp_path / "recovery" / "precious").read_text() == "data"
