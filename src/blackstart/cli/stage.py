# SPDX-License-Identifier: Apache-2.0
"""The stage of a drill: the sandbox's hosts, production on it, and Blackstart's own processes.

What recovers (the agent, elsewhere) and what watches (outside) are processes of their own. They
are started before the disaster and get nothing from here but the plan and the folder of the
record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blackstart.cli.kept import AGENT_AGAIN_S, WATCH_AGAIN_S, Kept, keep_running
from blackstart.model.errors import WorldFailed
from blackstart.sandbox.elsewhere import start_elsewhere
from blackstart.sandbox.layout import ADDRESSES, ELSEWHERE, OUTSIDE, Layout
from blackstart.sandbox.plan import TARGET
from blackstart.sandbox.systems import Drilled
from blackstart.world import process
from blackstart.world.sites import Site, create_site, inside

Tell = Callable[[str], None]
_STOP_LIMIT_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that stands before the disaster. `home` is Blackstart's folder for this run."""

    drilled: Drilled
    layout: Layout
    elsewhere: Site
    outside: Site
    plan: Path
    home: Path
    writer: int
    agent: Kept
    watch: Kept


def set_stage(layout: Layout, drilled: Drilled, tell: Tell, *, keep: bool = False) -> Stage:
    """Start the hosts, production, its writer, and Blackstart. Raises SandboxError, WorldFailed.

    With `keep` the hosts outlive this program; otherwise they die with it.
    """
    drilled.lay_out_elsewhere(layout)
    elsewhere = _host(layout, ELSEWHERE, None, drilled.usr, keep=keep)
    outside = _host(layout, OUTSIDE, elsewhere, drilled.usr, keep=keep)
    start_elsewhere(layout, None, elsewhere, tell)
    drilled.stand_up(layout, elsewhere, tell)
    plan = drilled.write_plan(layout, outside)
    home = layout.root / "home"
    home.mkdir(mode=0o700)
    writer = drilled.start_writer(layout, outside)
    tell("blackstart: a restore of the newest backup, for proof")
    _prove_backup(elsewhere, drilled.system, plan, home, tell)
    tell("blackstart: the agent starts elsewhere, the watch outside")
    return Stage(
        drilled=drilled,
        layout=layout,
        elsewhere=elsewhere,
        outside=outside,
        plan=plan,
        home=home,
        writer=writer,
        agent=keep_running(
            _from_network_of(elsewhere, _blackstart("agent", home)),
            layout.root / "agent.log",
            AGENT_AGAIN_S,
        ),
        watch=keep_running(
            inside(outside, _watching(drilled.system, plan, home)),
            layout.root / "watch.log",
            WATCH_AGAIN_S,
        ),
    )


def end_blackstart(stage: Stage) -> None:
    """Stop the agent and the watch."""
    for kept in (stage.watch, stage.agent):
        kept.end(grace_s=_STOP_LIMIT_S)


def look_after(stage: Stage, *, is_reported: bool) -> bool:
    """Start again what died, as systemd would; False when the agent is given up.

    A watch has done its work when it has reported.
    """
    if not is_reported:
        stage.watch.look()
    return stage.agent.look()


def peak_memory_bytes(pid: int) -> int | None:
    """Return the most memory a process ever held (VmHWM), None when it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("ascii")
    except OSError:
        return None
    found = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(found[0]) * 1024 if found else None


def _host(layout: Layout, name: str, hub: Site | None, usr: Path, *, keep: bool) -> Site:
    return create_site(
        layout.sites,
        name,
        address=ADDRESSES[name],
        marker=f"{layout.root.name}/{name}",
        purpose="sandbox",
        hub=hub,
        usr=usr,
        nameserver=ADDRESSES[ELSEWHERE],
        dies_with_us=not keep,
    )


def _blackstart(command: str, home: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "blackstart", command, *words, "--home", str(home)]


def _watching(system: str, plan: Path, home: Path) -> list[str]:
    words = (system, "--mode", "drill", "--target", TARGET, "--plan", str(plan))
    return _blackstart("watch", home, *words)


def _from_network_of(site: Site, argv: list[str]) -> list[str]:
    """Run in the site's network, with this machine's processes and files."""
    return ["nsenter", f"--net=/proc/{site.init_pid}/ns/net", "--", *argv]


def start_haunting(layout: Layout, injection: str) -> None:
    """Start what an injection does during the recovery; it ends with this program."""
    command = [sys.executable, "-m", "blackstart.sandbox.injections", injection, str(layout.root)]
    process.spawn(command, log=layout.root / f"{injection}.log", dies_with_us=True)


def prove_again(stage: Stage, tell: Tell) -> None:
    """Restore the newest backup for proof, as the company does each day. Raises WorldFailed."""
    _prove_backup(stage.elsewhere, stage.drilled.system, stage.plan, stage.home, tell)


def _prove_backup(elsewhere: Site, system: str, plan: Path, home: Path, tell: Tell) -> None:
    argv = [sys.executable, "-m", "blackstart", "backups", "verify", system]
    argv += ["--home", str(home), "--plan", str(plan)]
    done = process.run(_from_network_of(elsewhere, argv), timeout_s=120)
    if done.code != 0:
        said = done.err.decode(errors="replace").strip() or done.text.strip()
        raise WorldFailed(f"The newest backup could not be proven: {said}", "Read the lines above.")
    tell(f"blackstart: {done.text.strip()}")
