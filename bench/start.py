# SPDX-License-Identifier: Apache-2.0
"""Measures what a person waits for at the prompt: start-up time and peak memory of the command.

Each figure stands beside its goal; the exit code is 1 when one is missed, so that CI can hold it.
"""

import os
import statistics
import sys
import time
from pathlib import Path

COMMAND = Path(sys.executable).with_name("blackstart")
ROUNDS = 11
HELP_GOAL_S = 0.25
HELP_GOAL_MIB = 120.0


def measure_once(argv: list[str]) -> tuple[float, float]:
    """Run `argv` with its output dropped; return seconds taken and peak memory in MiB."""
    began = time.monotonic()
    pid = os.posix_spawn(
        argv[0],
        argv,
        dict(os.environ),
        file_actions=[(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)],
    )
    _, status, usage = os.wait4(pid, 0)
    took_s = time.monotonic() - began
    if os.waitstatus_to_exitcode(status) != 0:
        raise SystemExit(f"{' '.join(argv)} failed; run it by hand to see why")
    return took_s, usage.ru_maxrss / 1024


def main() -> int:
    """Print each measure beside its goal; return 1 when one is missed."""
    rounds = [measure_once([str(COMMAND), "--help"]) for _ in range(ROUNDS)]
    took_s = statistics.median(took for took, _ in rounds)
    peak_mib = max(peak for _, peak in rounds)
    print(f"blackstart --help   {took_s:.3f} s median of {ROUNDS} (goal <= {HELP_GOAL_S} s)")
    print(f"                    {peak_mib:.1f} MiB peak (goal <= {HELP_GOAL_MIB} MiB)")
    return int(took_s > HELP_GOAL_S or peak_mib > HELP_GOAL_MIB)


if __name__ == "__main__":
    sys.exit(main())
