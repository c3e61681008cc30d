# SPDX-License-Identifier: Apache-2.0
"""What a sandbox is made of, fetched and built once per machine into the user's cache folder.

Each part is built beside its final place and renamed when whole, so a part that exists is complete.
A lock keeps two commands from building the same part.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from blackstart.model.errors import Unready
from blackstart.sandbox.debian import packages_key, unpack_packages
from blackstart.sandbox.host import NEEDS_ROOT, WITHOUT_ROOT, missing_programs
from blackstart.sandbox.layout import FLOWFUSE_VERSION, STACK_VERSION
from blackstart.sandbox.npm_tree import install_tree, pack_tree, tree_key
from blackstart.world import process
from blackstart.world.files import locked

Tell = Callable[[str], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The parts, all complete: folders to show in sites, artefacts to recover from."""

    usr: Path
    app: Path
    stack: Path
    app_artefact: Path
    stack_artefact: Path


def require_host() -> None:
    """Raise Unready, naming everything at once, when this machine cannot hold a sandbox."""
    lacking = missing_programs()
    missing = f"missing programs: {', '.join(command for command, _ in lacking)}" if lacking else ""
    packages = " ".join(sorted({package for _, package in lacking}))
    install = f"apt-get install --no-install-recommends {packages}"
    if os.geteuid() != 0:
        what = f"{NEEDS_ROOT}; also {missing}" if lacking else NEEDS_ROOT
        raise Unready(f"{what}. Nothing was changed.", WITHOUT_ROOT)
    if lacking:
        raise Unready(missing, install)


def prepare(cache: Path, tell: Tell, *, cancelled: Cancelled = process.never) -> Prepared:
    """Return the parts, building those that are missing (`tell` is called from several threads).

    First time: minutes, mostly downloads; `cancelled` is asked often and ends them. Later: nothing
    is done. Raises SandboxError, Unready.
    """
    require_host()
    parts = cache / "parts"
    parts.mkdir(mode=0o711, parents=True, exist_ok=True)
    parts.chmod(0o711)
    wanted = _wanted(parts)
    if _is_complete(wanted):
        return wanted
    with locked(parts / ".lock", wait=False) as is_ours:
        if is_ours:
            _build(wanted, parts, tell, cancelled)
            return wanted
    tell("waiting for another command that prepares the same parts")
    with locked(parts / ".lock"):
        _build(wanted, parts, tell, cancelled)
    return wanted


def prepare_part(cache: Path, name: str, build: Callable[[Path], None], tell: Tell) -> Path:
    """Return the part of that name, built now into the folder given to `build` when missing.

    Raises what `build` raises; nothing half made is left under the name.
    """
    parts = cache / "parts"
    parts.mkdir(mode=0o711, parents=True, exist_ok=True)
    parts.chmod(0o711)
    final = parts / name
    if final.is_dir():
        return final
    tell(f"preparing {name}, once for this machine")
    with locked(parts / ".lock"):
        work = parts / ".work"  # of a command that died, or of nobody: we hold the lock
        if work.exists():
            shutil.rmtree(work)
        work.mkdir()
        _once(final, work, build)
        shutil.rmtree(work)
    return final


def _wanted(parts: Path) -> Prepared:
    app, stack = tree_key("app"), tree_key("stack")
    artefacts = parts / f"artefacts-{app}-{stack}"
    return Prepared(
        usr=parts / f"usr-{packages_key()}",
        app=parts / f"app-{app}",
        stack=parts / f"stack-{stack}",
        app_artefact=artefacts / f"flowfuse-{FLOWFUSE_VERSION}.tar.zst",
        stack_artefact=artefacts / f"stack-{STACK_VERSION}.tar.zst",
    )


def _is_complete(wanted: Prepared) -> bool:
    folders = (wanted.usr, wanted.app, wanted.stack, wanted.app_artefact.parent)
    return all(folder.is_dir() for folder in folders)


def _build(wanted: Prepared, parts: Path, tell: Tell, cancelled: Cancelled) -> None:
    work = parts / ".work"  # of a command that died, or of nobody: we hold the lock
    if work.exists():
        shutil.rmtree(work)
    work.mkdir()
    with ThreadPoolExecutor(max_workers=3) as pool:
        usr = partial(unpack_packages, tell=tell, cancelled=cancelled)
        tree = partial(install_tree, tell=tell, cancelled=cancelled)
        _wait_for(
            pool.submit(_once, wanted.usr, work, usr),
            pool.submit(_once, wanted.app, work, partial(tree, "app")),
            pool.submit(_once, wanted.stack, work, partial(tree, "stack")),
        )
    _once(wanted.app_artefact.parent, work, lambda folder: _pack(wanted, folder, tell))
    shutil.rmtree(work)


def _once(final: Path, work: Path, build: Callable[[Path], None]) -> None:
    """Build a part under another name and rename it when it is whole."""
    if final.is_dir():
        return
    draft = work / final.name
    build(draft)
    draft.rename(final)


def _wait_for(*parts: Future[None]) -> None:
    for part in parts:
        part.result()


def _pack(wanted: Prepared, folder: Path, tell: Tell) -> None:
    folder.mkdir()
    zstd = wanted.usr / "bin" / "zstd"
    pack_tree(wanted.app, folder / wanted.app_artefact.name, zstd, tell)
    pack_tree(wanted.stack, folder / wanted.stack_artefact.name, zstd, tell)
