# SPDX-License-Identifier: Apache-2.0
"""A drill must not be able to touch production, nor the place where a recovery would go."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from blackstart.model.plan import Mode, System, Target
from blackstart.model.runbook import Param
from blackstart.planfile.problems import Flaw
from blackstart.planfile.targets import RECORDS, values_of
from blackstart.planfile.tree import Path

DRILL = "drill"
OWN = ("account", "address", "public_name", "recipients", "reach")  # each must differ by itself
_PRODUCTION = "production_"


def flaws_of_target(system: System, name: str, path: Path) -> Iterator[Flaw]:
    """Yield each way in which a target of the system is what it must not be."""
    target = system.targets[name]
    old_site = system.settings.get("old_site")
    if old_site and target.site == old_site:
        what = f"the target '{name}' has the site '{old_site}', which is production's"
        here = (*path, "targets", name, "site")
        yield Flaw(path=here, what=what, instead="give the new site a name of its own")
    if name == DRILL:
        yield from _flaws_of_drill(system, (*path, "targets", DRILL))


def flaws_of_mode(system: System, target: str, mode: Mode, path: Path) -> Iterator[Flaw]:
    """Yield a flaw when a drill is not aimed at the target that is kept for drills."""
    if mode is Mode.DRILL and target != DRILL:
        what = f"a drill goes to the target '{DRILL}', never to '{target}'"
        have = DRILL in system.targets
        instead = f"choose the target '{DRILL}'" if have else f"add a target '{DRILL}' to the plan"
        yield Flaw(path=(*path, "targets", target), what=what, instead=instead)


def _flaws_of_drill(system: System, path: Path) -> Iterator[Flaw]:
    drill = system.targets[DRILL]
    for other in system.targets.values():
        if other is not drill:
            whose = f"that of the target '{other.name}'"
            yield from _clashes(drill, values_of(other), whose, path)
    production = {
        key.removeprefix(_PRODUCTION): value
        for target in system.targets.values()
        for key, value in target.values.items()
        if key.startswith(_PRODUCTION)
    }
    yield from _clashes(drill, production, "production's", path)


def _clashes(drill: Target, others: dict[str, Param], whose: str, path: Path) -> Iterator[Flaw]:
    own = values_of(drill)
    for key in OWN:
        if key in own and own[key] == others.get(key):
            what = f"the '{key}' of the drill is {whose}: a drill could do harm there"
            yield Flaw(path=(*path, key), what=what, instead=f"give the drill its own '{key}'")
    shared = sorted(_records_in(own) & _records_in(others))
    if shared:
        names = ", ".join(shared)
        what = f"the drill's 'records' and {whose} both name {names}: a drill would move them"
        yield Flaw(path=(*path, RECORDS), what=what, instead="give the drill its own 'records'")
    if "site" in others and "site" in own:
        place = others.get("place", own.get("place"))
        if (place, others["site"]) == (own.get("place"), own["site"]):
            what = f"place and site of the drill are {whose}: a drill could do harm there"
            yield Flaw(path=(*path, "site"), what=what, instead="give the drill its own 'site'")


def _records_in(values: Mapping[str, Param]) -> set[str]:
    """Return the names of the records that move with a target."""
    records = values.get(RECORDS)
    listed = records if isinstance(records, list) else []
    return {str(one.get("name")) for one in listed if isinstance(one, dict)}
