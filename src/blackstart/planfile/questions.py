# SPDX-License-Identifier: Apache-2.0
"""What `init` asks: each question with its default, and what an answer to it has to be.

A check returns "" for a good answer, or what is wrong with it and how to write it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from blackstart.model.references import malformed_in, names_in
from blackstart.model.runbook import Param
from blackstart.planfile import shape
from blackstart.planfile.parse import parse_tree
from blackstart.planfile.problems import Problems
from blackstart.planfile.scalars import is_usable
from blackstart.planfile.settings import default_of, is_secret, is_secret_reference
from blackstart.planfile.tree import value_of
from blackstart.planfile.verb_shape import Judge

NONE = "none"
UNPROTECTED = "not_protected:"
LONGEST = 2_000
_PERSON = re.compile(r"\s*([^<>@,]*[^<>@,\s])\s*<([^<>@\s,]+@[^<>@\s,]+\.[^<>@\s,]+)>\s*")
_HOST = re.compile(r"(?=.{1,253}$)[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+")
_CHANNEL = re.compile(r"#[a-z0-9_-]{1,80}")

_OF_TARGETS = {
    "place": "Where a new environment would be made (region, provider, folder)",
    "site": "Recovery target: name of the new site",
    "address": "Recovery target: address that the new site will have",
}

Check = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One question. Without a default it has to be answered."""

    key: str
    text: str
    check: Check
    default: str | None = None

    def judge(self, answer: str) -> str:
        """Return what is wrong with the answer, or ""."""
        if not answer.strip():
            return "an answer is needed"
        if len(answer) > LONGEST or not is_usable(answer) or "\n" in answer:
            return f"write it on one line, in at most {LONGEST} printable characters"
        if names_in(answer) or malformed_in(answer):
            return "write the value itself, without '${' and '}'"
        return self.check(answer.strip())


def people_in(answer: str) -> tuple[tuple[str, str], ...]:
    """Return (name, mail) of each person in `Name <mail>, Name <mail>`; none when it is not so."""
    found = [_PERSON.fullmatch(part) for part in answer.split(",")]
    return tuple((one[1], one[2]) for one in found if one) if all(found) else ()


def _anything(_: str) -> str:
    return ""


def _name(answer: str) -> str:
    right = re.fullmatch(shape.NAME, answer)
    return "" if right else "use letters, digits, '-' and '_', such as shop"


def _host(answer: str) -> str:
    return "" if _HOST.fullmatch(answer) else "write a host name such as app.example.com"


def _server(answer: str) -> str:
    return "" if answer == "localhost" or not _host(answer) else _host(answer)


def _person(answer: str) -> str:
    return "" if len(people_in(answer)) == 1 else "write it like Ada Example <ada@example.com>"


def _people(answer: str) -> str:
    right = people_in(answer)
    return "" if right else "write them like Ada Example <ada@example.com>, Ben <ben@example.com>"


def _channel(answer: str) -> str:
    right = answer == NONE or _CHANNEL.fullmatch(answer)
    return "" if right else f"write a channel such as #incidents, or {NONE}"


def _duration(answer: str) -> str:
    right = re.fullmatch(shape.DURATION, answer)
    return "" if right else "write a duration such as 24h, 1h30m or 5m"


def _backup(answer: str) -> str:
    if answer.startswith(UNPROTECTED):
        is_reasoned = answer.removeprefix(UNPROTECTED).strip()
        return "" if is_reasoned else f"say why: {UNPROTECTED} it is made anew from the code"
    return ""


def _secret(answer: str) -> str:
    right = is_secret_reference(answer)
    return "" if right else "a secret never stands in a plan: secret:file/PATH or secret:env/NAME"


def general_questions(answers: dict[str, str]) -> Iterator[Question]:
    """Yield the questions about organisation, people and goals.

    `answers` holds those that were given so far, whose values are defaults of later ones.
    """
    yield Question(key="organisation", text="Organisation", check=_anything)
    yield Question(key="system", text="Short name of the system", check=_name, default="app")
    yield Question(
        key="public_name", text="Host name that users open (as app.example.com)", check=_host
    )
    yield Question(key="commander", text="CTO, who leads a recovery (Name <mail>)", check=_person)
    yield Question(key="deputy", text="Deputy of the CTO (Name <mail>)", check=_person)
    yield Question(key="ceo", text="CEO (Name <mail>)", check=_person)
    both = ", ".join(answers[key] for key in ("commander", "deputy") if key in answers)
    yield Question(
        key="engineering", text="Engineers (Name <mail>, …)", check=_people, default=both
    )
    team = answers.get("engineering", both)
    yield Question(key="devops", text="Operators (Name <mail>, …)", check=_people, default=team)
    yield Question(
        key="slack", text=f"Slack channel for incidents, or {NONE}", check=_channel, default=NONE
    )
    yield Question(
        key="mail_server",
        text="Mail server that outlives the system (mail.example.net)",
        check=_server,
    )
    yield Question(key="rto", text="Back in service within (RTO)", check=_duration, default="24h")
    yield Question(
        key="rpo", text="At most this much data lost (RPO)", check=_duration, default="1h"
    )
    for key in ("database", "files"):
        text = f"Where the backup of the {key} lies ({NONE}: it has no {key}; "
        text += f"{UNPROTECTED} WHY: there is no backup)"
        default = None if key == "database" else NONE
        yield Question(key=key, text=text, check=_backup, default=default)


def setting_question(name: str, meaning: str, judges: Iterable[Judge]) -> Question:
    """Return the question for a setting of a profile, which these judges have to accept."""

    def fits(answer: str) -> str:
        wrong = _secret(answer) if is_secret(meaning) else ""
        try:
            shaped(answer, judges)
        except ValueError as error:
            return wrong or f"{error}; a list is written [a, b], a mapping {{a: b}}"
        return wrong

    return Question(key=f"settings.{name}", text=meaning, check=fits, default=default_of(meaning))


def shaped(answer: str, judges: Iterable[Judge]) -> Param:
    """Return the answer as what it means: text, YAML in brackets, or a command with its words.

    Raises ValueError, saying what the first judge says of the text, when no form is accepted.
    """
    for form in _forms_of(answer):
        if not any(judge(form) for judge in judges):
            return form
    raise ValueError(next(filter(None, (judge(answer) for judge in judges))))


def _forms_of(answer: str) -> Iterator[Param]:
    if answer.startswith(("[", "{")):
        problems = Problems()
        tree = parse_tree(answer.encode(), "answer", problems)
        if tree is not None and not problems.lines():
            yield value_of(tree)
    yield answer
    with suppress(ValueError):  # a quote that is not closed
        yield list[Param](shlex.split(answer))


def target_question(name: str) -> Question:
    """Return the question for a value of the target that the profile's steps refer to."""
    text = _OF_TARGETS.get(name, f"Recovery target: its {name}")
    return Question(key=f"target.{name}", text=text, check=_anything)


def vantage_question(name: str) -> Question:
    """Return the question for a place to look from."""
    text = f"Command that runs a program at the vantage '{name}'"
    example = f"ssh -o BatchMode=yes probe@{name}.example.net --"
    return Question(key=f"vantage.{name}", text=text, check=_anything, default=example)
