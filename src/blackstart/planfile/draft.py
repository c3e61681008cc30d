# SPDX-License-Identifier: Apache-2.0
"""A first plan from the answers that `init` got: short, commented, and valid at once."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

from blackstart.model.people import COMMANDER
from blackstart.model.references import names_in
from blackstart.model.runbook import POLICY_STEPS, ActionSpec
from blackstart.planfile.problems import Problems
from blackstart.planfile.procedure import usual_steps
from blackstart.planfile.profiles import load_profile
from blackstart.planfile.questions import (
    NONE,
    UNPROTECTED,
    Question,
    general_questions,
    people_in,
    setting_question,
    shaped,
    target_question,
    vantage_question,
)
from blackstart.planfile.targets import RECORDS
from blackstart.planfile.verb_shape import Judge, VerbShape

BY_HAND = "manual/any@1"
_SLACK = "secret:env/BLACKSTART_SLACK_TOKEN"  # where the token is, not what it is
_DERIVED = ("public_name", "backups")  # settings that the general answers give
_DEVOPS = ("assess_damage", "create_environment", "secure_environment", "restore_data")
_OWNERS = {
    **dict.fromkeys((*_DEVOPS, "verify_observability", "update_dns"), "devops"),
    **dict.fromkeys(("deploy_platform", "verify_platform"), "engineering"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a profile asks of a plan besides the general answers."""

    settings: Mapping[str, str]  # name → meaning
    judges: Mapping[str, tuple[Judge, ...]]  # setting → what the verbs that take it whole accept
    target: tuple[str, ...]
    vantages: tuple[str, ...]
    channels: tuple[str, ...]


def needs_of(profile: str, verbs: Mapping[str, VerbShape]) -> Needs:
    """Return what the profile needs. Raises KeyError when there is no such profile."""
    found = load_profile(profile, Problems())
    steps = usual_steps(found)
    actions = [action for step in steps for action in step.do]
    names = [name for action in actions for name in names_in(dict(action.params))]
    target = (name.removeprefix("target.") for name in names if name.startswith("target."))
    return Needs(
        settings=found.entry.settings,
        judges={name: _judges_of(name, actions, verbs) for name in found.entry.settings},
        target=tuple(dict.fromkeys(key for key in target if key not in {"public_name", RECORDS})),
        vantages=tuple(dict.fromkeys(one.vantage for one in actions if one.vantage)),
        channels=tuple(dict.fromkeys(n.channel for step in steps for n in step.notices)),
    )


def _judges_of(
    setting: str, actions: Iterable[ActionSpec], verbs: Mapping[str, VerbShape]
) -> tuple[Judge, ...]:
    whole = f"${{settings.{setting}}}"
    found = (
        verbs[action.use].judges.get(name)
        for action in actions
        for name, value in action.params.items()
        if value == whole and action.use in verbs
    )
    return tuple(dict.fromkeys(judge for judge in found if judge))


def questions_of(needs: Needs, answers: dict[str, str]) -> Iterator[Question]:
    """Yield every question; `answers` is filled by the caller as they are answered."""
    yield from general_questions(answers)
    for name, meaning in needs.settings.items():
        question = setting_question(name, meaning, needs.judges[name])
        if name not in _DERIVED and question.default is None:
            yield question
    for name in needs.target:
        yield target_question(name)
    for name in needs.vantages:
        yield vantage_question(name)


def draft_plan(profile: str, needs: Needs, answers: Mapping[str, str], today: date) -> str:
    """Return the text of a plan; `answers` were all judged good."""
    people = _people_of(answers)
    parts = (
        _head(answers, today, people),
        _section("people", _people_lines(people)),
        _section("roles", _role_lines(answers, people)),
        _section("teams", _team_lines(answers, people)),
        _section("channels", _channel_lines(answers, needs), "none of these runs on the system"),
        _section("vantages", _vantage_lines(answers, needs)),
        _section("systems", _system_lines(profile, needs, answers)),
    )
    return "\n".join(part for part in parts if part)


def _head(answers: Mapping[str, str], today: date, people: Mapping[str, tuple[str, str]]) -> str:
    return f"""\
# The business continuity plan of {answers["organisation"]}, as code.
#   blackstart check      every problem at once, with its place
#   blackstart show       what would run, in which order, and how much of it by itself
#   blackstart schema     what an editor completes this file by
# A secret never stands here: `secret:file/PATH` or `secret:env/NAME` says where it is.
blackstart: 1
organisation: {_word(answers["organisation"])}

policy:
  owner: {_id_of(answers["commander"], people)}
  effective: {today.isoformat()}
  objectives: {{ rto: {answers["rto"]}, rpo: {answers["rpo"]} }}
  activate_when: [ "the estimate is above 1 h", "data is lost", "the cause is hostile or unknown" ]
"""


def _section(name: str, lines: Iterable[str], why: str = "") -> str:
    text = "".join(f"  {line}\n" for line in lines)
    return f"{name}:{f'  # {why}' if why else ''}\n{text}" if text else ""


def _people_of(answers: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    """Return id → (name, mail); one mail is one person."""
    people: dict[str, tuple[str, str]] = {}
    for key in ("commander", "deputy", "ceo", "engineering", "devops"):
        for name, mail in people_in(answers[key]):
            if all(mail != known for _, known in people.values()):
                people[_free_id(name, people)] = (name, mail)
    return people


def _free_id(name: str, taken: Mapping[str, object]) -> str:
    stem = re.sub(r"[^a-z0-9]", "", name.split(maxsplit=1)[0].lower())[:40] or "p"
    numbered = (f"{stem}{number}" for number in range(2, len(taken) + 3))
    return stem if stem not in taken else next(one for one in numbered if one not in taken)


def _id_of(answer: str, people: Mapping[str, tuple[str, str]]) -> str:
    return _ids_of(answer, people)[0]


def _ids_of(answer: str, people: Mapping[str, tuple[str, str]]) -> tuple[str, ...]:
    by_mail = {mail: person for person, (_, mail) in people.items()}
    return tuple(dict.fromkeys(by_mail[mail] for _, mail in people_in(answer)))


def _people_lines(people: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for person, (name, mail) in people.items():
        yield f"{person}: {{ name: {_word(name)}, email: {_word(mail)} }}"


def _role_lines(answers: Mapping[str, str], people: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    chain = _ids_of(f"{answers['commander']}, {answers['deputy']}", people)
    yield f"{COMMANDER}: {{ title: CTO, holders: [{', '.join(chain)}], acknowledge_within: 10m }}"
    yield f"ceo: {{ title: CEO, holders: [{_id_of(answers['ceo'], people)}] }}"


def _team_lines(answers: Mapping[str, str], people: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    for team in ("engineering", "devops"):
        yield f"{team}: [{', '.join(_ids_of(answers[team], people))}]"


def _channel_lines(answers: Mapping[str, str], needs: Needs) -> Iterator[str]:
    domain = people_in(answers["commander"])[0][1].partition("@")[2]
    host = _word(answers["mail_server"])
    mail = f"{{ use: email.smtp, host: {host}, from: {_word(f'incident@{domain}')} }}"
    yield f"staff: {mail}"
    if answers["slack"] == NONE:
        yield f"incident: {mail}"
    else:
        channel = _word(answers["slack"])
        yield "incident:"
        yield f"  {{ use: slack.post, channel: {channel}, token: {_SLACK}, fallback: [staff] }}"
    for name in needs.channels:
        if name == "status":
            yield 'status: { use: statuspage.static, publish: ["dir:/srv/status"] }'
        elif name not in {"staff", "incident"}:
            yield f"{name}: {mail}"


def _vantage_lines(answers: Mapping[str, str], needs: Needs) -> Iterator[str]:
    for name in needs.vantages:
        words = ", ".join(_word(word) for word in answers[f"vantage.{name}"].split())
        yield f"{name}: {{ run: [{words}] }}"


def _system_lines(profile: str, needs: Needs, answers: Mapping[str, str]) -> Iterator[str]:
    yield f"{answers['system']}:"
    yield f"  profile: {profile}"
    yield "  settings:"
    derived = {"public_name": answers["public_name"], "backups": _backups_of(answers)}
    for name in needs.settings:
        if name in derived:
            yield f"    {name}: {_word(derived[name])}"
        elif f"settings.{name}" in answers:
            value = shaped(answers[f"settings.{name}"], needs.judges[name])
            yield f"    {name}: {json.dumps(value, ensure_ascii=False)}"
    yield "  state:  # what must not be lost, and how we know that it is not"
    yield from _state_lines(answers)
    yield "  targets:"
    yield "    recovery:"
    for name in needs.target:
        yield f"      {name}: {_word(answers[f'target.{name}'])}"
    if profile == BY_HAND:
        yield "  steps:  # who is asked; give a step a `do` of its own to automate it"
        for step in POLICY_STEPS:
            if step in _OWNERS:
                yield f"    {step}: {{ owner: {_OWNERS[step]} }}"


def _state_lines(answers: Mapping[str, str]) -> Iterator[str]:
    kept = [name for name in ("database", "files") if answers[name] != NONE]
    for name in kept:
        answer = answers[name]
        if answer.startswith(UNPROTECTED):
            reason = _word(answer.removeprefix(UNPROTECTED).strip())
            yield f"    - {{ name: {name}, not_protected: {reason} }}"
        else:
            yield f"    - name: {name}"
            yield f"      backup: {_word(answer)}"
            yield "      restore: restore_data"
            yield "      check: verify_platform"
    if not kept:
        yield "    []"


def _backups_of(answers: Mapping[str, str]) -> str:
    parts = []
    for name in ("database", "files"):
        answer = answers[name]
        if answer.startswith(UNPROTECTED):
            parts.append(f"{name}: no backup, {answer.removeprefix(UNPROTECTED).strip()}")
        elif answer != NONE:
            parts.append(f"{name}: {answer}")
    return "; ".join(parts) or "there is nothing to restore"


def _word(text: str) -> str:
    """Return text so that YAML reads it as this text: JSON's strings are YAML's."""
    return json.dumps(text.strip(), ensure_ascii=False)
