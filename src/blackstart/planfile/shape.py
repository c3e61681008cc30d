# SPDX-License-Identifier: Apache-2.0
"""The shape of the plan file and of a profile: every key, what it means and what it may hold.

One declaration serves three uses: `fit` reads files by it, `schema` publishes it as JSON Schema,
and the problems quote it. A field named `rest` takes every key that is not declared. `Any` stands
for any value that YAML can hold, `Node` for a part that is read later.
"""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from blackstart.model.runbook import Phase
from blackstart.planfile.tree import Node

NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$"
DURATION = r"^(?=.*[1-9])([0-9]{1,4}d)?([0-9]{1,5}h)?([0-9]{1,6}m)?([0-9]{1,7}(\.[0-9]{1,3})?s)?$"
VERB = r"^[a-z][a-z0-9_]*\.[a-z][a-z0-9_]*$"

Text = Annotated[str, Meta(min_length=1, title="text", examples=["some words"])]
Name = Annotated[
    str,
    Meta(
        pattern=NAME,
        title="a name of letters, digits, '-' and '_'",
        examples=["devops"],
    ),
]
ActionRef = Annotated[
    str,
    Meta(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}(\.[A-Za-z0-9][A-Za-z0-9_-]{0,62})?$",
        title="a step, step.action or action",
        examples=["restore_data.promote"],
    ),
]
Verb = Annotated[str, Meta(pattern=VERB, title="a verb of a provider", examples=["http.expect"])]
Duration = Annotated[
    str,
    Meta(
        pattern=DURATION,
        title="a duration",
        examples=["5m", "24h", "1h30m"],
    ),
]
DayRange = Annotated[
    str,
    Meta(
        pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}(\.\.[0-9]{4}-[0-9]{2}-[0-9]{2})?$",
        title="a day, or the first and the last of several",
        examples=["2026-12-24..2027-01-02"],
    ),
]
ProfileName = Annotated[
    str,
    Meta(
        pattern=r"^[a-z0-9-]+/[a-z0-9-]+@[0-9]+$",
        title="a profile with its version",
        examples=["flowfuse/local@1"],
    ),
]


class Entry(Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """A mapping of the file in which only the declared keys may appear."""


class OpenEntry(Struct, kw_only=True, frozen=True):
    """A mapping of the file whose other keys are kept in `rest`."""


class Objectives(Entry, kw_only=True, frozen=True):
    """What is promised."""

    rto: Annotated[Duration, Meta(description="recovery time objective")] = "24h"
    rpo: Annotated[Duration, Meta(description="recovery point objective")] = "1h"


class AnyOf(Entry, kw_only=True, frozen=True):
    """Conditions of which one is enough."""

    any: Annotated[list[Text], Meta(description="the conditions")]


class PolicyEntry(Entry, kw_only=True, frozen=True):
    """The written policy that this plan makes real."""

    owner: Annotated[Name, Meta(description="the person who answers for the policy")]
    effective: Annotated[date, Meta(description="the day from which the policy holds")]
    objectives: Objectives = Objectives()
    activate_when: Annotated[
        list[Text] | AnyOf,
        Meta(description="when to activate the Recovery phase; a person decides"),
    ] = []
    cadence: Annotated[Duration, Meta(description="users hear something at least this often")] = (
        "1h"
    )
    prolonged_after: Annotated[
        Duration, Meta(description="an outage longer than this is prolonged: the commander is told")
    ] = "1h"
    drill_every: Annotated[
        Duration | None, Meta(description="how often each system is drilled; a day at least")
    ] = None


class PersonEntry(OpenEntry, kw_only=True, frozen=True):
    """One person; every other key is an address, such as email, slack or phone."""

    name: Annotated[Text, Meta(description="the name to show")]
    away: Annotated[
        list[DayRange], Meta(description="days on which the person cannot be reached")
    ] = []
    rest: dict[str, Text] = {}


class RoleEntry(Entry, kw_only=True, frozen=True):
    """A role; the order of the holders is the order in which they stand in for one another."""

    title: Annotated[Text | None, Meta(description="the title to show")] = None
    holders: Annotated[list[Name], Meta(description="the people who hold it, deputies last")]
    acknowledge_within: Annotated[
        Duration, Meta(description="after this time the next holder is asked as well")
    ] = "10m"


class ChannelEntry(OpenEntry, kw_only=True, frozen=True):
    """A way to reach people; the other keys are the parameters of its verb."""

    use: Annotated[Verb, Meta(description="the provider's verb")]
    fallback: Annotated[list[Name], Meta(description="channels to use when this one fails")] = []
    params: Annotated[dict[str, Any], Meta(description="parameters of the verb")] = {}
    rest: dict[str, Any] = {}


class VantageEntry(Entry, kw_only=True, frozen=True):
    """A place from which a check can look."""

    run: Annotated[list[Text], Meta(description="what to put before a command to run it there")]


class StateEntry(Entry, kw_only=True, frozen=True):
    """One thing that must not be lost."""

    name: Annotated[Name, Meta(description="the name of the state item")]
    backup: Annotated[Text | None, Meta(description="where its backup is")] = None
    restore: Annotated[
        Text | None, Meta(description="the verb or step.action that restores it")
    ] = None
    check: Annotated[Text | None, Meta(description="the verb or step.action that proves it")] = None
    rpo: Annotated[Duration | None, Meta(description="its own recovery point objective")] = None
    not_protected: Annotated[Text | None, Meta(description="why it has no backup")] = None


class TierEntry(Entry, kw_only=True, frozen=True):
    """Who comes back in the same wave; the tiers come back in the order of the file."""

    name: Annotated[Name, Meta(description="the name of the tier")]
    teams: Annotated[list[Text], Meta(description="teams of the platform; empty: all others")] = []


class TargetEntry(OpenEntry, kw_only=True, frozen=True):
    """Where a recovery goes; the other keys are values for `${target.…}`."""

    like: Annotated[Name | None, Meta(description="take every value not given from here")] = None
    place: Annotated[Text | None, Meta(description="the region, data centre or folder")] = None
    site: Annotated[Text | None, Meta(description="the name of the new site")] = None
    address: Annotated[Text | None, Meta(description="the address that it will have")] = None
    public_name: Annotated[Text | None, Meta(description="the name under which users reach it")] = (
        None
    )
    records: Annotated[
        list[dict[str, Any]] | None,
        Meta(description="other records that move with the name, see the verb records.update"),
    ] = None
    rest: dict[str, Any] = {}


class WatchEntry(OpenEntry, kw_only=True, frozen=True):
    """How an outage is noticed; the other keys are the parameters of the check."""

    use: Annotated[Verb, Meta(description="the check")]
    every: Annotated[Duration, Meta(description="the time between two looks")] = "30s"
    confirm_after: Annotated[
        int, Meta(ge=1, le=1000, description="failures in a row that confirm an outage")
    ] = 3
    params: Annotated[dict[str, Any], Meta(description="parameters of the check")] = {}
    rest: dict[str, Any] = {}


class ActionEntry(Entry, kw_only=True, frozen=True):
    """One action of a step."""

    use: Annotated[Verb, Meta(description="the provider's verb")]
    params: Annotated[dict[str, Any], Meta(description="parameters of the verb")] = {}
    after: Annotated[
        list[ActionRef] | None,
        Meta(description="what it waits for; without this key, the action before it"),
    ] = None
    vantage: Annotated[Name | None, Meta(description="where a check looks from")] = None
    expected: Annotated[
        Duration | None, Meta(description="how long it should take: 5s, or 30m by hand")
    ] = None
    limit: Annotated[
        Duration | None, Meta(description="how long it may take: 10m, or 1d by hand")
    ] = None
    attempts: Annotated[int, Meta(ge=1, le=100, description="how often to try in all")] = 1


class ShortAction(OpenEntry, kw_only=True, frozen=True):
    """The parameters of an action that is written as `verb: parameters`."""

    rest: dict[str, Any] = {}


class NoticeEntry(Entry, kw_only=True, frozen=True):
    """A message that a step sends."""

    kind: Annotated[Name, Meta(description="which text, such as outage or recovered")]
    channel: Annotated[Name, Meta(description="the channel")]
    audience: Annotated[
        Name, Meta(description="everyone, a team, a role, or a list that was opened")
    ]


class StepEntry(Entry, kw_only=True, frozen=True):
    """One line of the procedure. In a plan, each key given replaces that of the profile whole."""

    title: Annotated[Text | None, Meta(description="the words of the policy")] = None
    phase: Annotated[Phase | None, Meta(description="the phase of the policy")] = None
    after: Annotated[list[Name] | None, Meta(description="the steps that it waits for")] = None
    do: Annotated[list[Node] | None, Meta(description="the actions")] = None
    notices: Annotated[list[NoticeEntry] | None, Meta(description="messages to send")] = None
    gate: Annotated[str | None, Meta(description="the role that has to say go")] = None
    blocking: Annotated[bool | None, Meta(description="whether a failure holds back the rest")] = (
        None
    )
    owner: Annotated[Name | None, Meta(description="the team, role or person in charge")] = None
    manual: Annotated[Text | None, Meta(description="how to do it by hand")] = None
    expected: Annotated[Duration | None, Meta(description="expected time of its only action")] = (
        None
    )
    limit: Annotated[Duration | None, Meta(description="limit of its only action")] = None


class ProfileStep(StepEntry, kw_only=True, frozen=True):
    """A step of a profile."""

    name: Annotated[Name, Meta(description="the name of the step")]


class SystemEntry(Entry, kw_only=True, frozen=True):
    """What is recovered."""

    profile: Annotated[ProfileName, Meta(description="the kind of platform")]
    each_of: Annotated[
        Text | None,
        Meta(description="a CSV file beside the plan: each line is a system, each column a value"),
    ] = None
    settings: Annotated[dict[str, Any], Meta(description="the settings of the profile")] = {}
    state: Annotated[list[StateEntry], Meta(description="what must not be lost")] = []
    tiers: Annotated[list[TierEntry], Meta(description="who comes back first")] = []
    targets: Annotated[dict[Name, TargetEntry], Meta(description="where recoveries go")]
    steps: Annotated[
        dict[str, StepEntry], Meta(description="what differs from the profile, by step")
    ] = {}
    watch: Annotated[WatchEntry | None, Meta(description="how an outage is noticed")] = None


class PlanFile(Entry, kw_only=True, frozen=True):
    """The plan file of Blackstart."""

    blackstart: Annotated[Literal[1], Meta(description="the version of this format")]
    organisation: Annotated[Text, Meta(description="the organisation whose plan this is")]
    policy: PolicyEntry
    people: Annotated[dict[Name, PersonEntry], Meta(description="people, by id")]
    roles: Annotated[dict[Name, RoleEntry], Meta(description="roles, by name")]
    teams: Annotated[dict[Name, list[Name]], Meta(description="teams and their members")] = {}
    channels: Annotated[dict[Name, ChannelEntry], Meta(description="ways to reach people")] = {}
    vantages: Annotated[dict[Name, VantageEntry], Meta(description="places to look from")] = {}
    systems: Annotated[dict[Name, SystemEntry], Meta(description="what can be recovered")]


class ProfileFile(Entry, kw_only=True, frozen=True):
    """A profile: the ten steps for one kind of platform."""

    profile: ProfileName
    description: Text
    settings: Annotated[dict[str, str], Meta(description="what each is; after ' = ' the default")]
    steps: list[ProfileStep]
