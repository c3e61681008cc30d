# SPDX-License-Identifier: Apache-2.0
"""What this machine must have to hold a sandbox. It runs before anything is installed.

    python3 -m blackstart.sandbox.host        prints the Debian packages that are missing

So it imports nothing beyond the standard library.
"""

from __future__ import annotations

import os
import shutil
import sys

# What must be on this machine: command, and the Debian package that brings it.
HOST_PROGRAMS = (
    *(("unshare", "util-linux"), ("nsenter", "util-linux"), ("setpriv", "util-linux")),
    *(("mount", "mount"), ("bash", "bash"), ("ip", "iproute2"), ("tar", "tar")),
    *(("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("node", "nodejs"), ("npm", "npm")),
)
NEEDS_ROOT = (
    "the sandbox needs root: it mounts, joins networks, and runs programs as four different users "
    "(docs/adr/0019-the-sandbox-needs-root.md)"
)
WITHOUT_ROOT = (
    "run it with sudo, or in a virtual machine or container where you are root. Without root work: "
    "make test, make check, `blackstart check` and `show` of a plan, and a table-top run; "
    "drills and everything else of the sandbox do not"
)


def missing_programs() -> tuple[tuple[str, str], ...]:
    """Return (command, Debian package) of each program that this machine lacks."""
    folders = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/sbin"))
    return tuple(pair for pair in HOST_PROGRAMS if shutil.which(pair[0], path=folders) is None)


if __name__ == "__main__":
    words = {"root": NEEDS_ROOT, "without-root": WITHOUT_ROOT}
    if sys.argv[1:]:
        sys.stdout.write(words[sys.argv[1]] + "\n")
    else:
        sys.stdout.writelines(
            f"{package}\n" for package in sorted({package for _, package in missing_programs()})
        )
