# SPDX-License-Identifier: Apache-2.0
"""Trees of Node packages: installed from a lock file, and packed as an artefact to recover from.

The lock files name no registry (npm asks the one it is configured for) and hold the digest of every
package. No install script runs: bcrypt 6 brings its binaries, and sqlite is never loaded on
PostgreSQL.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

from blackstart.sandbox.layout import SandboxError
from blackstart.world import process

_LOCKS = Path(__file__).parent / "flowfuse"


def tree_key(name: str) -> str:
    """Return a short name for the tree, which changes when its lock file does."""
    return hashlib.sha256((_LOCKS / name / "package-lock.json").read_bytes()).hexdigest()[:12]


def install_tree(
    name: str,
    target: Path,
    tell: Callable[[str], None],
    cancelled: Callable[[], bool] = process.never,
) -> None:
    """Install the tree `name` ("app" or "stack") into `target`. Raises SandboxError."""
    target.mkdir(parents=True)
    for file in ("package.json", "package-lock.json"):
        shutil.copyfile(_LOCKS / name / file, target / file)
    tell(f"FlowFuse {name}: npm installs")
    npm = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefer-offline"]
    env = ["env", "SENTRYCLI_SKIP_DOWNLOAD=1", "NODE_ENV=production"]
    done = process.run(
        [*env, *npm, "--loglevel=error"], timeout_s=900, cwd=target, cancelled=cancelled
    )
    if done.code != 0:
        said = " ".join(done.err.decode("utf-8", "replace").split())[-400:]
        raise SandboxError(
            f"npm could not install the {name} of FlowFuse: {said}",
            "check the network and `npm config get registry`, then run this command again",
        )
    # The sites' own users read it, whatever umask npm ran under.
    _must(["chmod", "-R", "a+rX", str(target)])


def pack_tree(target: Path, artefact: Path, zstd: Path, tell: Callable[[str], None]) -> None:
    """Pack the tree so that the same content gives the same bytes; write ARTEFACT.sha256 too."""
    tell(f"packing {artefact.name}")
    stable = ["--sort=name", "--mtime=@0", "--owner=0", "--group=0", "--numeric-owner"]
    compress = f"--use-compress-program={zstd} -3 -T0"
    _must(["tar", *stable, compress, "-cf", str(artefact), "-C", str(target), "."])
    digest = hashlib.sha256(artefact.read_bytes()).hexdigest()
    artefact.with_name(artefact.name + ".sha256").write_text(f"{digest}  {artefact.name}\n")


def _must(argv: list[str]) -> None:
    done = process.run(argv, timeout_s=300)
    if done.code != 0:
        said = done.err.decode("utf-8", "replace").strip()[-300:]
        raise SandboxError(f"{argv[0]} failed: {said}", "is the disk full?")
