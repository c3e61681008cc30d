# SPDX-License-Identifier: Apache-2.0
"""The plan of the simulated days: the policy's ten steps, small, with every shape in them."""

from __future__ import annotations

from datetime import date
from typing import Any

from blackstart.model.people import Person, Role, Team
from blackstart.model.plan import ChannelSpec, Plan, Policy, StateItem, System, Target
from blackstart.model.runbook import MANUAL, ActionSpec, NoticeSpec, Phase, Runbook, StepSpec

SYSTEMS = ("shop", "depot")
FIRST_PLAN, SECOND_PLAN = "0" * 64, "1" * 64
COMMANDERS = ("p1", "p2")


def make_plan(world: str, digest: str = FIRST_PLAN) -> Plan:
    """Return a plan with a commander, a deputy, a CEO, a team and four channels."""
    people = {
        name: Person(id=name, name=name.upper(), addresses={"chat": name, "mail": name})
        for name in ("p1", "p2", "p3", "p4")
    }
    commander = Role(
        name="incident_commander", title="CTO", holders=COMMANDERS, acknowledge_within_s=1_800
    )
    params = {"world": world}
    return Plan(
        organisation="Shop",
        policy=Policy(owner="p1", effective=date(2026, 1, 1), cadence_s=7_200),
        people=people,
        roles={
            commander.name: commander,
            "ceo": Role(name="ceo", title="CEO", holders=("p3",)),
        },
        teams={"devops": Team(name="devops", members=("p4",))},
        channels={
            "incident": ChannelSpec(
                name="incident", use="board.post", params=params, fallback=("staff_mail",)
            ),
            "staff": ChannelSpec(
                name="staff", use="chat.send", params=params, fallback=("staff_mail",)
            ),
            "staff_mail": ChannelSpec(name="staff_mail", use="mail.send", params=params),
            "users": ChannelSpec(name="users", use="mail.send", params=params),
        },
        systems={name: _system(name) for name in SYSTEMS},
        digest=digest,
    )


def _system(name: str) -> System:
    target = Target(name="recovery", place="p", site="s", address="a", public_name="n")
    return System(
        name=name,
        profile="sim@1",
        state=(StateItem(name="database", backup="b", restore="r", check="c"),),
        targets={"recovery": target},
    )


def make_runbook(world: str, system: str, digest: str = FIRST_PLAN) -> Runbook:
    """Return the procedure of a system; the second plan changes a step near its end."""
    announced = "Tell users again" if digest == FIRST_PLAN else "Tell users again, with thanks"
    return Runbook(
        system=system,
        target="recovery",
        steps=(
            StepSpec(
                name="assess_impact",
                title="Assess impact",
                phase=Phase.NOTIFICATION,
                do=(_look(world, "look"),),
            ),
            _telling("notify_users", "Tell users", "outage", world),
            *_making(world),
            *_proving(world),
            _telling("announce_recovery", announced, "recovered", world, after=("update_dns",)),
        ),
    )


def _do(world: str, name: str, *after: str, attempts: int = 1, **params: Any) -> ActionSpec:
    return ActionSpec(
        name=name,
        use="do.it",
        params={"world": world, **params},
        after=after,
        attempts=attempts,
        limit_s=600,
    )


def _look(world: str, name: str, *after: str) -> ActionSpec:
    return ActionSpec(name=name, use="look.it", params={"world": world}, after=after)


def _making(world: str) -> tuple[StepSpec, ...]:
    site, fence = _do(world, "site", gives="site-1"), _do(world, "fence")
    database = _do(world, "database")
    return (
        StepSpec(
            name="create_environment",
            title="Create",
            do=(site, fence, _do(world, "secrets", seals="password")),
        ),
        StepSpec(
            name="secure_environment",
            title="Secure",
            after=("create_environment",),
            do=(_do(world, "lock", gives="${create_environment.value}"),),
        ),
        StepSpec(
            name="deploy_platform",
            title="Deploy",
            after=("secure_environment",),
            do=(_do(world, "packages", attempts=2),),
        ),
        StepSpec(
            name="restore_data",
            title="Restore",
            after=("secure_environment",),
            owner="devops",
            do=(database, _do(world, "relocate", "restore_data.database")),
        ),
    )


def _proving(world: str) -> tuple[StepSpec, ...]:
    by_hand = ActionSpec(
        name="walk",
        use=MANUAL,
        params={"text": "Log in as a user.", "outputs": ["seen"], "evidence": True},
        after=("verify_platform.serves",),
        expected_s=300,
    )
    return (
        StepSpec(
            name="verify_platform",
            title="Verify",
            after=("deploy_platform", "restore_data"),
            do=(_look(world, "serves"), by_hand),
        ),
        StepSpec(
            name="verify_observability",
            title="Verify alerts",
            after=("deploy_platform",),
            do=(_look(world, "alerts"),),
        ),
        StepSpec(
            name="update_dns",
            title="Move the name",
            after=("verify_platform", "verify_observability"),
            gate="incident_commander",
            do=(_do(world, "record"), _look(world, "outside", "update_dns.record")),
        ),
    )


def _telling(name: str, title: str, kind: str, world: str, after: tuple[str, ...] = ()) -> StepSpec:
    return StepSpec(
        name=name,
        title=title,
        after=after,
        blocking=False,
        do=(ActionSpec(name="roster", use="roll.call", params={"world": world}),),
        notices=(NoticeSpec(kind=kind, channel="users", audience="affected"),),
    )
