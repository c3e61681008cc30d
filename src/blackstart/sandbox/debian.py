# SPDX-License-Identifier: Apache-2.0
"""Debian packages unpacked into a folder: nothing is installed, no maintainer script runs.

apt resolves the whole set against an empty installation, so that the result does not depend on what
this machine happens to have; what every Debian has, and what only serves installation scripts, is
left out. That no library is missing is then checked where it matters: inside the overlay.
"""

from __future__ import annotations

import hashlib
import platform
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from blackstart.sandbox.layout import SandboxError
from blackstart.world import process

PACKAGES = (
    *("postgresql-15", "postgresql-client-15", "pgbackrest", "knot", "knot-dnsutils"),
    *("rsyslog", "rsyslog-gnutls", "prometheus", "prometheus-alertmanager", "nftables"),
    *("zstd", "iproute2"),
)
_LEFT_OUT = re.compile(
    r"libc6|libc-bin|libc-l10n|locales|gcc-12-base|libgcc-s1|usrmerge|dpkg|tar|debconf|adduser|passwd"
    r"|init-system-helpers|sysvinit-utils|lsb-base|netbase|sensible-utils|ucf|openssl|ssl-cert"
    r"|libcap2-bin|postgresql-common|postgresql-client-common|libpam-.*|libaudit-common|libjs-.*|libsemanage.*"
    r"|javascript-common|fonts-.*|.*perl.*|libllvm\d+|libz3-4|readline-common|libtirpc-common"
)
_CHECKED = (
    *("lib/postgresql/15/bin/*", "lib/postgresql/15/lib/*.so", "bin/pgbackrest", "bin/kdig"),
    *("sbin/knotd", "sbin/knotc", "sbin/rsyslogd", "lib/*/rsyslog/*.so", "bin/prometheus"),
    *("bin/prometheus-alertmanager", "sbin/nft", "bin/zstd"),
)
_UNUSED = ("lib/postgresql/15/lib/llvmjit*", "lib/postgresql/15/lib/bitcode", "share/doc/*")


def packages_key() -> str:
    """Return a short name for the set of packages, which changes when the set does."""
    wanted = " ".join((*PACKAGES, _LEFT_OUT.pattern, platform.machine()))
    return hashlib.sha256(wanted.encode()).hexdigest()[:12]


def unpack_packages(
    target: Path, tell: Callable[[str], None], cancelled: Callable[[], bool] = process.never
) -> None:
    """Fill `target` with bin, lib, share …: a folder to lay over /usr. Raises SandboxError.

    Beside them, packages.txt records each package file with its sha256.
    """
    downloads = target.with_name(target.name + ".debs")
    downloads.mkdir(parents=True)
    status = downloads / "status"
    status.touch()
    tell("Debian packages: asking apt what is needed")
    wanted = _resolve(status)
    tell(f"Debian packages: downloading {len(wanted)}")
    download = ["apt-get", "download", "-o", "APT::Sandbox::User=root", *wanted]
    _apt(download, 600, downloads, cancelled)
    root = target.with_name(target.name + ".root")
    root.mkdir()
    archives = sorted(downloads.glob("*.deb"))
    tell(f"Debian packages: unpacking {len(archives)}")
    for archive in archives:
        _must(["dpkg-deb", "-x", str(archive), str(root)], 120, cancelled)
    _merge_into_usr(root, target)
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}" for file in archives]
    (target / "packages.txt").write_text("\n".join([*sums, ""]))
    _refuse_missing_libraries(target)
    shutil.rmtree(root)
    shutil.rmtree(downloads)
    tell("Debian packages: ready")


def _resolve(status: Path) -> list[str]:
    """Return name=version of every package needed, as apt's own resolver finds them."""
    if not any(Path("/var/lib/apt/lists").glob("*_Packages*")):
        _apt(["apt-get", "update"], 300, status.parent)
    question = ["apt-get", "-s", "-o", f"Dir::State::status={status}", "install"]
    answer = _apt([*question, "--no-install-recommends", *PACKAGES], 120, status.parent)
    found = re.findall(r"^Inst (\S+) \((\S+)", answer.text, re.MULTILINE)
    return [f"{name}={version}" for name, version in found if not _LEFT_OUT.fullmatch(name)]


def _merge_into_usr(root: Path, target: Path) -> None:
    """Make one folder of /usr and of /bin, /sbin, /lib, as Debian itself has them merged."""
    (root / "usr").rename(target)
    for name in ("bin", "sbin", "lib"):
        if (root / name).is_dir():
            shutil.copytree(root / name, target / name, symlinks=True, dirs_exist_ok=True)
    for pattern in _UNUSED:
        for path in target.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()
    target.chmod(0o755)


def _refuse_missing_libraries(usr: Path) -> None:
    """Ask the dynamic linker, inside the overlay, for what it cannot find. Raises SandboxError."""
    files = sorted(path for pattern in _CHECKED for path in usr.glob(pattern) if path.is_file())
    names = [f"/usr/{path.relative_to(usr)}" for path in files]
    script = 'mount -t overlay usr -o "ro,lowerdir=$0:/usr" /usr && ldd "$@" 2>&1'
    done = process.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, str(usr), *names],
        timeout_s=60,
    )
    missing = sorted({line.strip() for line in done.text.splitlines() if "not found" in line})
    if missing or not files:
        raise SandboxError(
            f"the unpacked packages lack libraries: {'; '.join(missing) or done.text[-300:]}",
            "report it with the Debian version; the list of packages is in sandbox/debian.py",
        )


def _apt(
    argv: list[str], timeout_s: float, cwd: Path, cancelled: Callable[[], bool] = process.never
) -> process.Completed:
    done = process.run(argv, timeout_s=timeout_s, cwd=cwd, cancelled=cancelled)
    if done.code != 0:
        said = " ".join(done.err.decode("utf-8", "replace").split())[-400:]
        raise SandboxError(
            f"{' '.join(argv[:2])} failed: {said}",
            "check the network and the package sources of apt (Debian 12 is needed), then run "
            "`apt-get update` and this command again",
        )
    return done


def _must(argv: list[str], timeout_s: float, cancelled: Callable[[], bool]) -> None:
    done = process.run(argv, timeout_s=timeout_s, cancelled=cancelled)
    if done.code != 0:
        said = done.err.decode("utf-8", "replace").strip()[-300:]
        raise SandboxError(f"{' '.join(argv[:2])} failed: {said}", "is the disk full?")
