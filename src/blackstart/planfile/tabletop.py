# SPDX-License-Identifier: Apache-2.0
"""Talking a procedure through: every step becomes a question to its owner, and nothing is done.

What the step would do stands in the question, so that its owner can say whether it would work,
who has the keys, and how long it takes. Nobody outside is told anything.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from blackstart.model.references import names_in, substitute
from blackstart.model.runbook import MANUAL, ActionSpec, StepSpec
from blackstart.model.words import say_duration

TALK = "talk"
_QUESTION = "Who does it, with which access, and would it work today? What is missing?"


def talked_through(step: StepSpec) -> StepSpec:
    """Return the step as a question: the same order, gate and owner, and no effect."""
    expected_s = sum(action.expected_s for action in step.do)
    talk = ActionSpec(
        name=TALK,
        use=MANUAL,
        params={"text": "\n".join(_text_of(step))},
        expected_s=expected_s,
        limit_s=max(expected_s, 3_600.0),
    )
    return replace(step, do=(talk,), notices=())


def _text_of(step: StepSpec) -> Iterator[str]:
    yield f"{step.title}: talk it through. {_QUESTION}"
    for action in step.do:
        if action.use == MANUAL:
            yield f"- by hand: {_said(str(action.params.get('text', '')))}"
        else:
            yield f"- {action.name}: {action.use}, expected {say_duration(action.expected_s)}"
    for notice in step.notices:
        yield f"- tell {notice.audience} over {notice.channel} ({notice.kind}); not sent now"
    if step.manual:
        yield f"- should the machine fail: {step.manual}"


def _said(text: str) -> str:
    """Return the text with words for what only a real run would hand on."""
    references = [(name, name.partition(".")) for name in names_in(text)]
    words = {name: f"what {step} gives as {output}" for name, (step, _, output) in references}
    return str(substitute(text, words))
