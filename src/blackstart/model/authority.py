# SPDX-License-Identifier: Apache-2.0
"""Who may say what in an incident: the plan's roles and teams, and what was handed over since."""

from __future__ import annotations

from blackstart.model.errors import NotAuthorised
from blackstart.model.people import COMMANDER
from blackstart.model.plan import Plan, has_role
from blackstart.model.views import Incident

TEAM = "team:"


def role_of_owner(plan: Plan, owner: str) -> str:
    """Return whom a step's owner stands for: a role, `team:NAME`, or else the commander."""
    if owner in plan.roles:
        return owner
    return TEAM + owner if owner in plan.teams else COMMANDER


def holds(plan: Plan, incident: Incident, person: str, role: str) -> bool:
    """Say whether the person may speak for a role or a team (`team:NAME`) in this incident."""
    if role.startswith(TEAM):
        team = plan.teams.get(role.removeprefix(TEAM))
        return team is not None and person in team.members
    return has_role(plan, person, role) or incident.holders.get(role) == person


def _holders(plan: Plan, role: str) -> tuple[str, ...]:
    if role.startswith(TEAM):
        team = plan.teams.get(role.removeprefix(TEAM))
        return team.members if team else ()
    return plan.roles[role].holders if role in plan.roles else ()


def require(plan: Plan, incident: Incident, person: str, *roles: str) -> None:
    """Refuse somebody who speaks for none of the roles. Raises NotAuthorised."""
    if not any(holds(plan, incident, person, role) for role in roles):
        wanted = " or ".join(dict.fromkeys(roles))
        who = ", ".join(
            dict.fromkeys(
                each
                for role in roles
                for each in (*_holders(plan, role), incident.holders.get(role))
                if each
            )
        )
        raise NotAuthorised(
            f"'{person}' may not do this.",
            f"It takes {wanted} of the plan ({who}), or a hand-over.",
        )


def require_known(plan: Plan, person: str) -> None:
    """Refuse somebody whom the plan does not name. Raises NotAuthorised."""
    if person not in plan.people:
        known = ", ".join(plan.people)
        raise NotAuthorised(f"The plan knows nobody called '{person}'.", f"It knows: {known}.")


def persons_asked(plan: Plan, incident: Incident, role: str) -> tuple[str, ...]:
    """Return whom to ask first: whoever holds the role now, or every member of a team."""
    if role.startswith(TEAM):
        team = plan.teams.get(role.removeprefix(TEAM))
        return team.members if team else ()
    if role in incident.holders:
        return (incident.holders[role],)
    return plan.roles[role].holders[:1] if role in plan.roles else ()


def next_asked(plan: Plan, incident: Incident, role: str, asked: tuple[str, ...]) -> str:
    """Return who is asked when nobody answered: the next deputy, then all of them again.

    A team's question goes to the incident commander.
    """
    if role not in plan.roles:
        return persons_asked(plan, incident, COMMANDER)[0]
    chain = tuple(dict.fromkeys((*persons_asked(plan, incident, role), *plan.roles[role].holders)))
    later = chain[chain.index(asked[-1]) + 1 :] if asked and asked[-1] in chain else ()
    return later[0] if later else chain[0]
