# SPDX-License-Identifier: Apache-2.0
"""Measures `blackstart check` of plans with 500 systems, start of the program included.

Two shapes: one entry with a list (every system has the 40 actions of flowfuse/local@1, 25 settings
and two targets), and 500 entries written out (the ten manual steps each). Each figure stands beside
its goal; the exit code is 1 when one is missed.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("blackstart")
EXAMPLE = Path(__file__).parents[1] / "examples" / "flowfuse" / "blackstart.yaml"
SYSTEMS = 500
ROUNDS = 5
GOAL_S = 1.0


def from_list(folder: Path) -> None:
    """Write the example plan with its system made of a list of customers."""
    text = EXAMPLE.read_text("utf-8")
    for old, new in (
        ("  flowfuse-cloud:", "  customers:\n    each_of: customers.csv"),
        ("public_name: app.example.com", 'public_name: "${each.public_name}"'),
        ("address: 192.0.2.20", 'address: "${each.address}"'),
        ("public_name: app.drill.example.com", 'public_name: "drill.${each.public_name}"'),
        ("site: recovery", 'site: "${each.name}"'),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    rows = (f"c{n},c{n}.example.com,10.0.{n // 250}.{n % 250 + 1}" for n in range(SYSTEMS))
    folder.joinpath("blackstart.yaml").write_text(text)
    folder.joinpath("customers.csv").write_text("name,public_name,address\n" + "\n".join(rows))


def written_out(folder: Path) -> None:
    """Write a plan with an entry for each system."""
    head = EXAMPLE.read_text("utf-8").partition("systems:")[0]
    entries = "".join(
        f"""
  s{n}:
    profile: manual/any@1
    settings: {{ public_name: s{n}.example.com, backups: on the second site }}
    state: [{{ name: database, backup: nas, restore: restore_data, check: verify_platform }}]
    targets: {{ recovery: {{ place: eu-{n} }} }}
    steps: {{ deploy_platform: {{ owner: devops }}, restore_data: {{ owner: devops }} }}
"""
        for n in range(SYSTEMS)
    )
    folder.joinpath("blackstart.yaml").write_text(f"{head}systems:{entries}")


def measure(folder: Path) -> float:
    """Return the median seconds of one `blackstart check`."""
    took = []
    for _ in range(ROUNDS):
        began = time.monotonic()
        subprocess.run([COMMAND, "check"], cwd=folder, check=True, capture_output=True)
        took.append(time.monotonic() - began)
    return statistics.median(took)


def main() -> int:
    """Print each measure beside its goal; return 1 when one is missed."""
    missed = 0
    for words, write in (("one list", from_list), ("written out", written_out)):
        with tempfile.TemporaryDirectory() as name:
            write(Path(name))
            took_s = measure(Path(name))
        print(
            f"blackstart check    {took_s:.2f} s median of {ROUNDS}, {SYSTEMS} systems, {words} "
            f"(goal <= {GOAL_S:.0f} s)"
        )
        missed += took_s > GOAL_S
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
