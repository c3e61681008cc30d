# SPDX-License-Identifier: Apache-2.0
"""Looks at the world from somewhere else: a check runs there as `blackstart probe`.

The question goes to its standard input, with the secrets that it needs, and never as an argument.
The answer comes back on its standard output. What the check keeps as evidence travels with it.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from blackstart.engine.offered import build
from blackstart.model.codec import digest_of, to_bytes
from blackstart.model.errors import Unready
from blackstart.model.plan import Target, Vantage
from blackstart.model.runbook import Param
from blackstart.ports.action import Check, Context, Done, Failed, Outcome
from blackstart.ports.clock import Clock
from blackstart.ports.secrets import PREFIX, SecretBox, SecretRef
from blackstart.world.clock import countdown
from blackstart.world.process import ProcessCancelled, ProcessNotStarted, ProcessTimedOut, run


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of a probe."""

    use: str
    params: Mapping[str, Param]
    secrets: Mapping[str, str]
    target: Target
    key: str
    marker: str
    limit_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What a probe answers; `artefacts` are names and base64 contents."""

    done: Done | None = None
    failed: Failed | None = None
    artefacts: tuple[tuple[str, str], ...] = field(default_factory=tuple)


def look_from(
    vantage: Vantage,
    probe: tuple[str, ...],
    use: str,
    params: Mapping[str, Param],
    context: Context,
    secrets: SecretBox,
) -> Outcome:
    """Ask the check from the vantage and return its answer; a probe that breaks is a failure."""
    limit_s = max(1.0, context.left_s())
    question = Question(
        use=use,
        params=params,
        secrets={name: secrets.reveal(SecretRef(name)) for name in _secrets_in(params)},
        target=context.target,
        key=context.key,
        marker=context.marker,
        limit_s=limit_s,
    )
    try:
        ended = run(
            (*vantage.run, *probe),
            timeout_s=limit_s + 5.0,
            stdin=to_bytes(question),
            cancelled=context.cancelled,
        )
    except (ProcessTimedOut, ProcessNotStarted, ProcessCancelled) as problem:
        return _unheard(vantage, str(problem))
    try:
        reply = msgspec.json.decode(ended.out, type=Reply)
    except msgspec.DecodeError:
        return _unheard(vantage, ended.err.decode(errors="replace")[-300:])
    for name, content in reply.artefacts:
        context.keep(name, base64.b64decode(content))
    return reply.done or reply.failed or _unheard(vantage, "it gave an empty answer")


def _unheard(vantage: Vantage, reason: str) -> Failed:
    return Failed(
        summary=f"The probe at '{vantage.name}' gave no answer: {reason}",
        hint=f"Run it by hand to see why: {' '.join(vantage.run)} blackstart probe",
    )


def _secrets_in(params: Mapping[str, Param]) -> tuple[str, ...]:
    return tuple(v for v in params.values() if isinstance(v, str) and v.startswith(PREFIX))


def answer_probe(
    asked: bytes, verbs_beside: Callable[[str], Mapping[str, type[Any]]], clock: Clock
) -> bytes:
    """Answer a question that came to `blackstart probe`; `verbs_beside` finds the verb it names.

    Raises msgspec.ValidationError for a question that is none, PlanRejected for unfit parameters.
    """
    question = msgspec.json.decode(asked, type=Question)
    artefacts: list[tuple[str, str]] = []
    outcome = _check(question, verbs_beside(question.use), clock, artefacts)
    reply = Reply(
        done=outcome if isinstance(outcome, Done) else None,
        failed=outcome if isinstance(outcome, Failed) else None,
        artefacts=tuple(artefacts),
    )
    return to_bytes(reply)


def _check(
    question: Question,
    verbs: Mapping[str, type[Any]],
    clock: Clock,
    artefacts: list[tuple[str, str]],
) -> Outcome:
    check = build(verbs, question.use, question.params)
    if not isinstance(check, Check):
        return Failed(
            summary=f"'{question.use}' changes things; only checks can be asked from a vantage.",
            hint="Remove `vantage` from this action of the plan.",
        )
    left_s = countdown(clock, question.limit_s)

    def keep(name: str, content: bytes) -> str:
        artefacts.append((name, base64.b64encode(content).decode()))
        return digest_of(content)

    def reveal(ref: SecretRef) -> str:
        if ref.name not in question.secrets:
            raise Unready(f"The probe was not given {ref}.", "Name it in the check's parameters.")
        return question.secrets[ref.name]

    return check.check(_context(question, clock, left_s, keep, reveal))


def _context(
    question: Question, clock: Clock, left_s: Callable[[], float], keep: Any, reveal: Any
) -> Context:
    def refuse(*_: object) -> Any:
        raise Unready("A probe keeps nothing.", "Use an action for this, not a check.")

    return Context(
        key=question.key,
        marker=question.marker,
        target=question.target,
        left_s=left_s,
        now=clock.now,
        cancelled=lambda: left_s() <= 0,
        progress=lambda _done, _total, _unit: None,
        keep=keep,
        seal=refuse,
        reveal=reveal,
        remember=refuse,
        verified_points=refuse,
    )
