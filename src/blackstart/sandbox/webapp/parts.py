# SPDX-License-Identifier: Apache-2.0
"""The application's parts: its packages from the registry, checked and packed, and an installation.

A recovery starts from what is packed (`artefacts`); the lost production ran the installation.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from blackstart.sandbox.debian import packages_key, unpack_packages
from blackstart.sandbox.layout import SandboxError
from blackstart.sandbox.packages import prepare_part, require_host
from blackstart.sandbox.webapp.names import APPLICATION
from blackstart.world import process

_FILES = ("requirements.txt", "application.ini", "build.sh", "install.sh", "manifest.sql")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """Folders, all complete: system packages, the artefacts, and an installation of them."""

    usr: Path
    artefacts: Path
    venv: Path


def prepare_parts(cache: Path, tell: Callable[[str], None]) -> Parts:
    """Return the parts, made now when they are missing. Raises SandboxError."""
    require_host()
    part = prepare_part(cache, f"webapp-{_key()}", lambda folder: _build(folder, tell), tell)
    usr = f"usr-{packages_key()}"
    return Parts(
        usr=prepare_part(cache, usr, lambda folder: unpack_packages(folder, tell), tell),
        artefacts=part / "artefacts",
        venv=part / "app" / "venv",
    )


def _build(folder: Path, tell: Callable[[str], None]) -> None:
    """Pack what the lock file names, and install it once."""
    artefacts, app = folder / "artefacts", folder / "app"
    artefacts.mkdir(parents=True)
    app.mkdir()
    for path in (folder, artefacts, app):
        path.chmod(0o755)
    for name in _FILES:
        shutil.copy(APPLICATION / name, artefacts / name)
    tell("web application: pip fetches its packages, and they are packed")
    _must([str(artefacts / "build.sh"), sys.executable, str(artefacts)])
    tell("web application: installed once, as production has it")
    _must(["env", f"APP_FOLDER={app}", str(artefacts / "install.sh"), sys.executable])
    _point_to(folder, folder.parent.parent / folder.name)
    _must(["chmod", "-R", "a+rX", str(folder)])


def _point_to(folder: Path, final: Path) -> None:
    """Let the application's command find its Python where the finished part will lie."""
    command = folder / "app" / "venv" / "bin" / "kinto"
    command.write_text(command.read_text().replace(str(folder), str(final)))


def _key() -> str:
    """Return a name that changes with the application's files and this Python."""
    digest = hashlib.sha256(f"{sys.version} {sys.base_prefix}".encode())
    for name in _FILES:
        digest.update((APPLICATION / name).read_bytes())
    digest.update(Path(__file__).read_bytes())
    return digest.hexdigest()[:12]


def _must(argv: list[str]) -> None:
    done = process.run(argv, timeout_s=600)
    if done.code != 0:
        said = " ".join(done.err.decode("utf-8", "replace").split())[-400:]
        raise SandboxError(
            f"{Path(argv[0]).name} could not prepare the web application: {said}",
            "check the network and `pip config list`, then run this command again",
        )
