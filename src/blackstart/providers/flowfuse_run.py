# SPDX-License-Identifier: Apache-2.0
"""Start a restored FlowFuse, then its Node-RED instances, in waves; see that both stay up.

The platform starts its instances by itself one second after it is up, all at once. So they are
suspended in the database before its first start, and started through its own interface in order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import msgspec

from blackstart.model.errors import Refused, WorldFailed
from blackstart.ports.action import Context, Done, Failed, Finding, Outcome
from blackstart.providers.flowfuse_api import (
    act_on_instance,
    administrator_token,
    asking,
    instance_state,
    is_up,
)
from blackstart.providers.flowfuse_database import (
    RELOCATE,
    ROTATE,
    HeldInstance,
    broken_credentials,
    held_instances,
    hold_instances,
    is_noted,
    needed_stacks,
    require_open_database,
    sealed_credentials,
    stale_rows,
)
from blackstart.providers.flowfuse_install import ENTRY
from blackstart.providers.flowfuse_waves import RanWave, Tier, not_held, say_waves, waves_of
from blackstart.providers.limits import wait_within
from blackstart.providers.manifest import read_manifest
from blackstart.providers.places import (
    Workplace,
    directory_of,
    look_into,
    work_in,
)
from blackstart.providers.traces import begin, finding, finish, returns_failures
from blackstart.world.namespaces import residents
from blackstart.world.process import end, started_ticks
from blackstart.world.sites import start_inside

_START, _INSTANCES = "flowfuse.start", "flowfuse.start_instances"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start FlowFuse on the restored database, with every instance held back.

    Refused unless the database is open, this run relocated it and ended its sessions, no row
    points to the lost site, all credentials open, and the stacks of the instances are installed.
    """

    outputs: ClassVar[Mapping[str, str]] = {"pid": "the platform's process on this machine"}
    place: str
    site: str
    public_name: str

    def preview(self, context: Context) -> str:
        """Say what would be started."""
        return f"FlowFuse would be started on site {self.site}, its instances held back"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Check the database once more, hold the instances, start, wait for the interface."""
        work = work_in(self.place, self.site, context)
        require_checked(work, f"https://{self.public_name}")
        begin(work.directory, _START, context)
        _end_platform(work)
        hold_instances(work)
        _require_stacks(work)
        pid = _start_platform(work)
        _wait_for_platform(work, pid)
        done = Done(
            summary=f"FlowFuse answers as process {pid}, its instances are held back",
            outputs={"pid": pid},
        )
        return finish(work.directory, _START, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key and a platform that answers."""

        def holds() -> bool:
            try:
                return is_up(asking(look_into(self.place, self.site, context)))
            except WorldFailed:
                return False

        return finding(directory_of(self.place, self.site), _START, context, holds)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartInstances:
    """Start the instances that ran before, wave by wave; those that were suspended stay so.

    `waves` are the plan's tiers, each with the names of its teams; whoever is in none comes with
    the tier that names no team, or else last. A wave starts when all of the one before run. Every
    instance that ran by the manifest has to be among them.
    """

    outputs: ClassVar[Mapping[str, str]] = {
        "started": "how many instances run",
        "waves": "the tiers in the order in which they came back",
    }
    place: str
    site: str
    manifest: str
    waves: tuple[Tier, ...] = ()

    def preview(self, context: Context) -> str:
        """Say how they would be started."""
        names = ", then ".join(tier.name for tier in self.waves) or "all at once"
        return f"the instances would be started by tier: {names}"

    @returns_failures
    def perform(self, context: Context) -> Outcome:
        """Start each wave and wait for it."""
        work = work_in(self.place, self.site, context)
        begin(work.directory, _INSTANCES, context)
        held = held_instances(work)
        if lacking := not_held(held, read_manifest(self.manifest)):
            return Failed(
                summary=lacking,
                hint="compare the table Projects with the manifest: the backup may lack them, or "
                "somebody suspended them; restore another point, or start them by hand",
            )
        ran: list[RanWave] = []
        with administrator_token(work) as bearer:
            for wave in waves_of(held, self.waves):
                started_at = context.now()
                for instance in wave.instances:
                    _start_instance(work, bearer, instance)
                before = sum(len(one.instances) for one in ran)
                _wait_for_wave(work, wave.instances, before, len(held))
                ran.append(
                    RanWave(
                        name=wave.name,
                        instances=wave.instances,
                        started_at=started_at,
                        ran_at=context.now(),
                    )
                )
        done = Done(
            summary=f"{say_waves(tuple(ran))}; those that were suspended stay suspended",
            outputs={"started": len(held), "waves": [wave.name for wave in ran]},
            evidence=(context.keep("instances.json", msgspec.json.encode(ran)),),
        )
        return finish(work.directory, _INSTANCES, context, done)

    def inspect(self, context: Context) -> Finding:
        """Look for this attempt's key."""
        return finding(directory_of(self.place, self.site), _INSTANCES, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectStable:
    """Expect that the platform and its instances stay up, in the same processes, for some seconds.

    The first answer proves nothing: a wrong path crashes FlowFuse three seconds after it.
    """

    outputs: ClassVar[Mapping[str, str]] = {"for_s": "how long nothing restarted, in seconds"}
    place: str
    site: str
    for_s: float = 5.0

    @returns_failures
    def check(self, context: Context) -> Outcome:
        """Look again and again until the time is over or something changed."""
        work = look_into(self.place, self.site, context)
        first = _picture(work)
        if not first.platform:
            return Failed(summary="FlowFuse does not run", hint="read log/flowfuse.log of the site")
        if not first.instances:
            return Failed(
                summary="this run started no instance, so none can be seen to stay up",
                hint="look at flowfuse.start and flowfuse.start_instances of this run",
            )
        changed: list[str] = []

        def has_changed() -> bool:
            changed[:] = _differences(first, _picture(work))
            return bool(changed)

        wait_within(context, has_changed, at_most_s=float(self.for_s), every_s=0.5)
        if changed or context.cancelled():
            return Failed(
                summary="; ".join(changed) or "stopped on request",
                hint="read log/flowfuse.log and the instance's out.log, then start again",
            )
        return Done(
            summary=f"FlowFuse and {len(first.instances)} instances stayed up for {self.for_s:g} s",
            outputs={"for_s": float(self.for_s)},
            evidence=(context.keep("stable.json", msgspec.json.encode(first)),),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Picture:
    """The platform's processes, and when each running instance last started."""

    platform: tuple[int, ...]
    instances: Mapping[str, tuple[str, int]]
    answers: bool


def require_checked(work: Workplace, base: str) -> None:
    """Raise Refused unless the platform may start on this database, in this site, by this run."""
    require_open_database(work)
    hint = "do the steps of `restore_data` in their order"
    for verb, what in ((RELOCATE, "relocated the database"), (ROTATE, "ended its sessions")):
        if not is_noted(work, verb=verb):
            raise Refused(f"this run has not {what}", hint)
    if stale := stale_rows(work, base):
        raise Refused(f"{len(stale)} rows still point to the lost site", hint)
    if broken := broken_credentials(sealed_credentials(work), {}):
        raise Refused("; ".join(broken), hint)


def _require_stacks(work: Workplace) -> None:
    for stack in needed_stacks(work):
        if not (work.directory / "flowfuse" / "var" / "stacks" / stack).is_dir():
            raise Refused(
                f"the stack {stack} of an instance is not installed",
                "install it from its artefact: the platform would start and its instance not",
            )


def _start_platform(work: Workplace) -> int:
    home = work.directory / "flowfuse"
    env = {
        "HOME": str(home),
        "FLOWFORGE_HOME": str(home),
        "NODE_ENV": "production",
        "FF_TELEMETRY_DISABLED": "1",
        "NODE_EXTRA_CA_CERTS": str(home / "etc" / "ca.pem"),
    }
    argv = ["node", str(home / ENTRY)]
    return start_inside(work.site, "flowfuse", argv, user="flowfuse", cwd=str(home), env=env)


def _wait_for_platform(work: Workplace, pid: int) -> None:
    log = work.directory / "log" / "flowfuse.log"

    def answers_or_ended() -> bool:
        return started_ticks(pid) is None or is_up(asking(work))

    in_time = wait_within(work.context, answers_or_ended, every_s=0.05)
    if not in_time or started_ticks(pid) is None:
        raise WorldFailed(
            f"FlowFuse {'ended' if in_time else 'does not answer'}: {_last_lines(log)}",
            f"read {log}",
        )


def _end_platform(work: Workplace) -> None:
    """End what an earlier attempt left: the platform first, then launchers and instances."""
    theirs = [one.pid for one in residents(work.site) if one.command in {"node", "node-red"}]
    for pid in sorted(theirs):
        ticks = started_ticks(pid)
        if ticks is not None:
            end(pid, ticks, grace_s=2.0)


def _start_instance(work: Workplace, bearer: str, instance: HeldInstance) -> None:
    """Start an instance; one that an earlier attempt left half started is suspended first."""
    if instance.state != "suspended":
        if instance_state(work, instance.port, instance.id)[0] == "running":
            return
        act_on_instance(work, bearer, instance.id, "suspend")
    act_on_instance(work, bearer, instance.id, "start")


def _wait_for_wave(
    work: Workplace, wave: tuple[HeldInstance, ...], before: int, total: int
) -> None:
    waiting = {one.id: one for one in wave}

    def all_run() -> bool:
        for one in tuple(waiting.values()):
            if instance_state(work, one.port, one.id)[0] == "running":
                del waiting[one.id]
        work.context.progress(float(before + len(wave) - len(waiting)), float(total), "instances")
        return not waiting

    if not wait_within(work.context, all_run, every_s=0.2):
        names = ", ".join(one.name for one in waiting.values())
        raise WorldFailed(
            f"these instances do not run: {names}",
            "read their out.log (flowfuse/var/projects/ID) and log/flowfuse.log of the site",
        )


def _picture(work: Workplace) -> _Picture:
    running = [one for one in residents(work.site) if one.command in {"node", "node-red"}]
    entry = str(work.directory / "flowfuse" / ENTRY)
    return _Picture(
        platform=tuple(one.pid for one in running if entry in _command_line(one.pid)),
        instances={
            one.name: instance_state(work, one.port, one.id) for one in held_instances(work)
        },
        answers=is_up(asking(work)),
    )


def _differences(first: _Picture, now: _Picture) -> list[str]:
    told = [] if now.platform == first.platform else ["FlowFuse ended or was started again"]
    if not now.answers:
        told.append("FlowFuse does not answer")
    for name, state in now.instances.items():
        if state[0] != "running":
            told.append(f"instance {name} is {state[0]}")
        elif state != first.instances.get(name):
            told.append(f"instance {name} was started again")
    return told


def _command_line(pid: int) -> str:
    try:
        return (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode("utf-8", "replace")
        )
    except OSError:
        return ""


def _last_lines(log: Path) -> str:
    try:
        lines = log.read_text("utf-8", "replace").splitlines()[-3:]
    except OSError:
        return "it left no log"
    return " | ".join(lines)[-600:] or "it said nothing"
