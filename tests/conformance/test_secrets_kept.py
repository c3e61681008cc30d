# SPDX-License-Identifier: Apache-2.0
"""Every verb keeps the secrets it is given out of its words, its evidence, its programs' words."""

from __future__ import annotations

import dataclasses
import sys
import typing
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from blackstart.model.errors import BlackstartError
from blackstart.ports.channel import Message
from blackstart.ports.secrets import SecretRef
from tests.canaries import canary, leaks_in
from tests.conformance.test_every_provider import VERBS
from tests.provider_stage import KEY, Stage

REF = SecretRef("secret:test/canary")
SECRET = canary("given")
MESSAGE = Message(subject="s", body="b", kind="outage", incident="i", tone="bad")
BY_NAME: Mapping[str, Any] = {
    "url": "http://127.0.0.1:1/",
    "base_url": "http://127.0.0.1:1/",
    "server": "127.0.0.1",
    "port": 1,
    "zone": "x.test",
    "name": "a.x.test",
    "type": "A",
    "value": "10.0.0.1",
    "from_": "a@x.test",
    "user": "owner",
    "text": "SELECT 1",
    "query": "SELECT 1",
    "equals": 1,
    "timeout_s": 1,
    "within_s": 0.1,
    "place": "/nowhere",
    "argv": ("false",),
    "starttls": True,
}
STARTED: list[str] = []


def note_program(event: str, arguments: tuple[Any, ...]) -> None:
    """The audit hook: keep the words of every program that is started."""
    if event == "subprocess.Popen":
        STARTED.append(repr(arguments[1]))


sys.addaudithook(note_program)


def takes_secret(kind: Any) -> bool:
    return kind is SecretRef or any(takes_secret(part) for part in typing.get_args(kind))


def secret_fields(verb: type[Any]) -> list[str]:
    hints = typing.get_type_hints(verb)
    return [field.name for field in dataclasses.fields(verb) if takes_secret(hints[field.name])]


SECRETIVE = {name: verb for name, verb in VERBS.items() if secret_fields(verb)}


def made(verb: type[Any]) -> Any:
    """Return the verb, pointed to where nothing is, with the secret in every place for one."""
    hints = typing.get_type_hints(verb)
    given: dict[str, Any] = {}
    for field in dataclasses.fields(verb):
        kind, origin = hints[field.name], typing.get_origin(hints[field.name])
        if takes_secret(kind):
            given[field.name] = REF if kind is SecretRef else {"it": REF}
        elif field.name in BY_NAME:
            given[field.name] = BY_NAME[field.name]
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            plain: dict[Any, Any] = {str: "127.0.0.1", int: 1, float: 1.0, bool: True, tuple: ()}
            given[field.name] = plain.get(origin or kind, {})
    return verb(**given)


def used(verb: Any, stage: Stage, reveal: Callable[[SecretRef], str]) -> list[object]:
    """Use the verb in every way there is; return what came of it."""
    context = dataclasses.replace(stage.context(limit_s=2), reveal=reveal)
    found: list[object] = []
    for name in ("preview", "inspect", "check", "perform", "undo"):
        if hasattr(verb, name):
            try:
                found.append(getattr(verb, name)(context))
            except (BlackstartError, OSError, ValueError) as refusal:
                found.append(f"{refusal!r} {refusal}")
    if hasattr(verb, "send"):
        found.append(verb.send(MESSAGE, KEY, "b@x.test", reveal))
        found.append(verb.lookup(KEY, "b@x.test", reveal))
    return found


@pytest.mark.parametrize("name", SECRETIVE)
def test_a_secret_stays_out_of_words_evidence_and_arguments(name: str) -> None:
    stage = Stage()
    STARTED.clear()
    verb = made(SECRETIVE[name])
    found = used(verb, stage, lambda _: SECRET)
    assert found
    told = f"{found!r} {verb!r} {stage.evidence!r} {stage.ticks!r} {STARTED!r}".encode()
    assert leaks_in(told, {"it": SECRET}) == []


def test_the_search_sees_a_verb_that_tells() -> None:
    told = repr([f"cannot log in with {SECRET}"]).encode()
    assert leaks_in(told, {"it": SECRET}) == ["it"]
    assert len(SECRETIVE) >= 20
