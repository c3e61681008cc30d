# SPDX-License-Identifier: Apache-2.0
"""The runbook: the plan compiled for one system and one target, a graph of steps and actions.

Steps come in the policy's order, which is the default reading. What may start is decided by the
graph: a step starts when all steps in `after` have ended well, an action when all actions in its
own `after` have. Action references are `step.action`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    Param: TypeAlias = "str | int | float | bool | list[Param] | dict[str, Param] | None"
else:
    Param = Any  # decoders cannot follow a recursive alias; JSON holds nothing else anyway


class Phase(StrEnum):
    """The three phases of the policy (NIST SP 800-34: activation, recovery, reconstitution)."""

    NOTIFICATION = "notification"
    RECOVERY = "recovery"
    RESOLUTION = "resolution"


# The ten lines of the policy's recovery procedure, in its order, in its words.
POLICY_STEPS: Mapping[str, str] = {
    "notify_users": "Notify affected users",
    "assess_damage": "Assess damage to the environment",
    "create_environment": "Create a new production environment",
    "secure_environment": "Secure the new environment",
    "deploy_platform": "Deploy platform code",
    "restore_data": "Restore data backup",
    "verify_platform": "Verify platform deployment",
    "verify_observability": "Verify logging, monitoring, alerting",
    "update_dns": "Update DNS and other records",
    "announce_recovery": "Notify affected users again",
}
ASSESS_IMPACT = "assess_impact"
MANUAL = "manual.do"  # no provider's verb: a person is asked to do it, and answers when it is done


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """One provider's verb with its parameters, not yet resolved.

    `vantage` names the place to look from (checks only). `after` holds references `step.action`
    or `step`; the compiler adds those that the parameters imply.
    """

    name: str
    use: str
    params: Mapping[str, Param] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    vantage: str = ""
    expected_s: float = 5.0
    limit_s: float = 600.0
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeSpec:
    """A message that a step queues: its kind (see `notices`), the channel and the audience."""

    kind: str
    channel: str
    audience: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StepSpec:
    """One line of the procedure.

    `gate` names the role that has to say go before the first action. `blocking` False means that
    a failure is loud and does not hold back what follows (telling users never stalls the rest).
    """

    name: str
    title: str
    phase: Phase = Phase.RECOVERY
    after: tuple[str, ...] = ()
    do: tuple[ActionSpec, ...] = ()
    notices: tuple[NoticeSpec, ...] = ()
    gate: str = ""
    blocking: bool = True
    owner: str = ""
    manual: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Runbook:
    """The procedure for one system and one target."""

    system: str
    target: str
    steps: tuple[StepSpec, ...]

    def step(self, name: str) -> StepSpec:
        """Return the step of that name. Raises KeyError when there is none."""
        for step in self.steps:
            if step.name == name:
                return step
        raise KeyError(name)


def references_of(value: Param) -> tuple[str, ...]:
    """Return every `${…}` reference in a parameter, in order, without the braces."""
    if isinstance(value, str):
        return tuple(part.split("}", 1)[0] for part in value.split("${")[1:] if "}" in part)
    if isinstance(value, list):
        return tuple(found for item in value for found in references_of(item))
    if isinstance(value, dict):
        return tuple(found for item in value.values() for found in references_of(item))
    return ()
