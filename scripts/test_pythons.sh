#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the quick tests under each other Python named that is present and usable: scripts/test_pythons.sh 3.12 3.13
# Each gets an environment of its own (.venv-3.12), made once. A Python that is absent is named, not an error.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/talk.sh

usable() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_version() {
    local candidate
    for candidate in "python$1" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$1".*/bin/python; do
        if usable "$candidate"; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    return 1
}

failed=0
for version in "$@"; do
    if ! python=$(find_version "$version"); then
        say "Python $version: not found here, not tested"
        continue
    fi
    PYTHON=$python VENV=.venv-$version scripts/setup.sh
    say "Python $version:"
    VENV=.venv-$version scripts/test.sh || failed=1
done
exit "$failed"
