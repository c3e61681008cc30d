#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints every measure beside its goal, from one run: scripts/bench.sh [PART...] (default: all). Each part is bench/PART.py.
# All parts run even when one misses its goal; the exit code is 1 then. `recovery` loses a real FlowFuse twice and needs root.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/talk.sh

missed=0
[ "$#" -gt 0 ] || set -- start status plan journal resume scale recovery
for part in "$@"; do
    if [ ! -f "bench/$part.py" ]; then
        say "bench/$part.py is not there: not measured"
        continue
    fi
    if [ "$part" = recovery ]; then scripts/packages.sh drill; fi
    say "--- $part"
    PYTHONPATH=. .venv/bin/python "bench/$part.py" || missed=1
done
exit "$missed"
