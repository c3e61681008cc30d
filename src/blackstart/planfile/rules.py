# SPDX-License-Identifier: Apache-2.0
"""The hard rules of the procedure, which no plan can weaken. Each is one function, with its reason.

A rule speaks only about steps that are there; a profile has them all (tested).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from blackstart.model.runbook import MANUAL, ActionSpec, StepSpec
from blackstart.planfile.graph import steps_before, waits_before
from blackstart.planfile.problems import Flaw
from blackstart.planfile.tree import Path

TELLING = ("notify_users", "announce_recovery")
NEVER_EMPTY = (
    "secure_environment",
    "restore_data",
    "verify_platform",
    "verify_observability",
    "update_dns",
)
# later → earlier: why the one may only start when the other has ended well
ORDER: tuple[tuple[str, str, str], ...] = (
    ("restore_data", "secure_environment", "no data enters an environment that is not secured"),
    ("update_dns", "verify_platform", "no traffic moves to a platform that was not verified"),
    ("update_dns", "verify_observability", "no traffic moves to a platform that nobody watches"),
    ("announce_recovery", "update_dns", "users are told only what was verified from outside"),
)
# what a verb does → the step that may do it: otherwise its order and its gate could be gone around
HOMES: Mapping[str, str] = dict.fromkeys(
    ("dns.replace", "dns.update", "records.update", "front.admit"), "update_dns"
)
_RESTORE = ".restore"
STARTING = ("start", "start_instances")
LOOKS_AT_PORTS = (".only", ".listeners")
# A person can do what a verb would, but only what he is asked for counts. Nobody but him knows
# whether he did; that he was asked, and answered, is what the record can prove.
ASKED_TO_FENCE = re.compile(r"\bfenc(e|es|ed|ing)\b", re.IGNORECASE)
ASKED_FOR_PORTS = re.compile(r"\bopen\s+ports?\b", re.IGNORECASE)
ASKED_TO_LOOK = re.compile(r"\bfrom\s+outside\b", re.IGNORECASE)

Steps = Mapping[str, StepSpec]


def flaws_of_rules(steps: Steps, path: Path) -> Iterator[Flaw]:
    """Yield every hard rule that the steps break; `path` leads to the system."""
    for rule in RULES:
        yield from rule(steps, (*path, "steps"))


def _gate_stays(steps: Steps, path: Path) -> Iterator[Flaw]:
    if "update_dns" in steps and not steps["update_dns"].gate:
        yield Flaw(
            path=(*path, "update_dns", "gate"),
            what="the gate of 'update_dns' cannot go: a person decides to move traffic",
            instead="write 'gate: incident_commander', or remove the line",
        )


def _order_stays(steps: Steps, path: Path) -> Iterator[Flaw]:
    for later, earlier, why in ORDER:
        if later in steps and earlier in steps and earlier not in steps_before(steps, later):
            yield Flaw(
                path=(*path, later, "after"),
                what=f"'{later}' does not wait for '{earlier}': {why}",
                instead=f"add '{earlier}' to its 'after', or remove the line",
            )


def _only_telling_goes_on(steps: Steps, path: Path) -> Iterator[Flaw]:
    for name, step in steps.items():
        here = (*path, name, "blocking")
        if name in TELLING and step.blocking:
            what = (
                f"'{name}' may not hold back the recovery: a failing channel is loud, not blocking"
            )
            yield Flaw(path=here, what=what, instead="write 'blocking: false', or remove the line")
        elif name not in TELLING and not step.blocking:
            what = f"'{name}' cannot be passed over when it fails"
            yield Flaw(path=here, what=what, instead="write 'blocking: true', or remove the line")


def _nothing_waits_for_telling(steps: Steps, path: Path) -> Iterator[Flaw]:
    for name, step in steps.items():
        waits = [((*path, name, "after"), after) for after in step.after]
        for action in step.do:
            waits += [((*path, name, "do", action.name, "after"), one) for one in action.after]
        for here, after in waits:
            told = after.partition(".")[0]
            if told in TELLING and name not in TELLING:
                what = f"'{name}' waits for '{told}', and telling people never stalls the recovery"
                yield Flaw(path=here, what=what, instead=f"remove '{after}' from 'after'")


def _proof_stays(steps: Steps, path: Path) -> Iterator[Flaw]:
    for name in NEVER_EMPTY:
        if name in steps and not steps[name].do:
            what = f"'{name}' has no action left, and would be green without proof"
            yield Flaw(
                path=(*path, name, "do"), what=what, instead="keep the actions that prove it"
            )
    if "update_dns" in steps and "announce_recovery" in steps:
        ends = [action for name in ("update_dns", "announce_recovery") for action in steps[name].do]
        if not any(one.vantage or _is_asked(one, ASKED_TO_LOOK) for one in ends):
            yield Flaw(
                path=(*path, "update_dns", "do"),
                what="nothing looks at the public name from outside before users are told",
                instead="keep a check with a 'vantage' in 'update_dns'; a manual action counts "
                "when its text asks to look 'from outside'",
            )


def _old_site_is_fenced(steps: Steps, path: Path) -> Iterator[Flaw]:
    if "update_dns" not in steps:
        return
    before = steps_before(steps, "update_dns")
    done = [action for name in before if name in steps for action in steps[name].do]
    if not any(one.use.endswith(".fence") or _is_asked(one, ASKED_TO_FENCE) for one in done):
        yield Flaw(
            path=(*path, "create_environment", "do"),
            what="the old site is not fenced before the new one serves, and could come back",
            instead="keep an action such as site.fence in 'create_environment'; a manual action "
            "counts when its text asks to fence the old site",
        )


def _is_asked(action: ActionSpec, words: re.Pattern[str]) -> bool:
    text = action.params.get("text")
    return action.use == MANUAL and isinstance(text, str) and words.search(text) is not None


def _verbs_stay_home(steps: Steps, path: Path) -> Iterator[Flaw]:
    for name, step in steps.items():
        for action in step.do:
            home = HOMES.get(action.use, name)
            here = (*path, name, "do", action.name)
            if home != name:
                what = f"'{action.use}' moves traffic and belongs behind the gate of '{home}'"
                yield Flaw(path=here, what=what, instead=f"move it to '{home}'")
            elif _brings_data_too_early(steps, name, action):
                what = f"'{action.use}' brings data before 'secure_environment' has passed"
                yield Flaw(path=here, what=what, instead="move it to 'restore_data'")


def _brings_data_too_early(steps: Steps, name: str, action: ActionSpec) -> bool:
    is_restore = action.use.endswith(_RESTORE) and name != "restore_data"
    secured = "secure_environment" in steps_before(steps, name)
    return is_restore and "secure_environment" in steps and not secured


def _starts_after_checks(steps: Steps, path: Path) -> Iterator[Flaw]:
    if "restore_data" not in steps:
        return
    for name, step in steps.items():
        for action in step.do:
            if action.use.partition(".")[2] in STARTING:
                yield from _flaws_of_start(steps, name, action, path)


def _flaws_of_start(steps: Steps, name: str, action: ActionSpec, path: Path) -> Iterator[Flaw]:
    waited = waits_before(steps, f"{name}.{action.name}")
    names = [one.name for one in steps["restore_data"].do]
    if name == "restore_data":
        missed = [n for n in names[: names.index(action.name)] if f"{name}.{n}" not in waited]
    else:
        missed = [] if "restore_data" in waited else ["restore_data"]
    if missed:
        yield Flaw(
            path=(*path, name, "do", action.name),
            what=f"'{action.name}' starts the platform without waiting for {', '.join(missed)}",
            instead="start it only on data that was restored, promoted, relocated and checked",
        )


def _ports_are_looked_at_again(steps: Steps, path: Path) -> Iterator[Flaw]:
    """The platform itself opens ports, after the first look at them."""
    if "update_dns" not in steps or "restore_data" not in steps:
        return
    later = [name for name in steps_before(steps, "update_dns") if name in steps]
    later = [name for name in later if "restore_data" in steps_before(steps, name)]
    looks = [action for name in later for action in steps[name].do]
    if not any(
        one.use.endswith(LOOKS_AT_PORTS) or _is_asked(one, ASKED_FOR_PORTS) for one in looks
    ):
        yield Flaw(
            path=(*path, "verify_observability", "do"),
            what="nothing looks for open ports again when the platform runs, before traffic moves",
            instead="keep a check such as tcp.only in 'verify_observability'; a manual action "
            "counts when its text asks for open ports",
        )


Rule = Callable[[Steps, Path], Iterator[Flaw]]
RULES: tuple[Rule, ...] = (
    _gate_stays,
    _order_stays,
    _only_telling_goes_on,
    _nothing_waits_for_telling,
    _proof_stays,
    _old_site_is_fenced,
    _verbs_stay_home,
    _starts_after_checks,
    _ports_are_looked_at_again,
)
