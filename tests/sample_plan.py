# SPDX-License-Identifier: Apache-2.0
"""A good plan to break: the shipped example, and stand-ins for the shapes of its verbs."""

from collections.abc import Mapping
from pathlib import Path

from blackstart.model.errors import PlanRejected
from blackstart.model.plan import Plan
from blackstart.planfile.load import read_located
from blackstart.planfile.verb_shape import VerbShape

EXAMPLE = Path(__file__).parents[1] / "examples" / "flowfuse" / "blackstart.yaml"
GOOD = EXAMPLE.read_text("utf-8")
SYSTEM = "flowfuse-cloud"

_OUTPUTS = {
    "site.create": ("directory",),
    "secrets.generate": (
        "database_password",
        "cookie_secret",
        "replication_password",
        "repository_key",
    ),
    "site.listeners": ("ports",),
    "pgbackrest.verify_point": ("point", "taken_at", "checked", "took_s"),
    "pgbackrest.choose_point": ("point", "older", "newest_wal"),
    "pgbackrest.restore": ("restored",),
    "postgres.promote": ("recovered_to",),
    "dns.replace": ("old", "old_ttl_s"),
}
OUTPUTS_OF = {verb: frozenset(outputs) for verb, outputs in _OUTPUTS.items()}


def edited(*changes: tuple[str, str]) -> str:
    """The good plan with each text replaced that is there exactly once."""
    text = GOOD
    for old, new in changes:
        assert text.count(old) == 1, f"{old!r} is there {text.count(old)} times"
        text = text.replace(old, new)
    return text


def plan_of(text: str = GOOD) -> Plan:
    """The plan in the text, which must be sound."""
    return read_located(text.encode(), "plan.yaml").plan


def problems_of(text: str | bytes, verbs: Mapping[str, VerbShape] | None = None) -> tuple[str, ...]:
    """Every problem of the text; none when it is sound."""
    content = text.encode() if isinstance(text, str) else text
    try:
        read_located(content, "plan.yaml", verbs)
    except PlanRejected as rejected:
        return rejected.problems
    return ()


def only_problem_of(text: str | bytes, verbs: Mapping[str, VerbShape] | None = None) -> str:
    """The one problem of the text; more or fewer fail the test."""
    problems = problems_of(text, verbs)
    assert len(problems) == 1, "\n".join(problems) or "no problem"
    return problems[0]


def verbs_of(plan: Plan) -> dict[str, VerbShape]:
    """Shapes that fit every verb of the plan as it uses it."""
    verbs: dict[str, VerbShape] = {}
    for channel in plan.channels.values():
        verbs[channel.use] = _shape("channel", channel.use, tuple(channel.params))
    for system in plan.systems.values():
        for step in system.steps:
            for action in step.do:
                kind = "check" if action.vantage or ".expect" in action.use else "action"
                verbs[action.use] = _shape(kind, action.use, tuple(action.params))
        if system.watch:
            params = (*system.watch.params, *verbs[system.watch.use].parameters)
            verbs[system.watch.use] = _shape("check", system.watch.use, params, ())
        for item in system.state:
            if item.check and item.check not in verbs:
                verbs[item.check] = _shape("action", item.check, ())
    return verbs


def _shape(
    kind: str, use: str, params: tuple[str, ...], required: tuple[str, ...] | None = None
) -> VerbShape:
    return VerbShape(
        kind=kind,
        parameters=params,
        required=params if required is None else required,
        outputs=_OUTPUTS.get(use, ()),
    )
