#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes .venv as requirements/dev.txt says, every file checked against its hash. Done already: returns at once.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/talk.sh

oldest='(3, 11)'
venv=${VENV:-.venv}

usable() { "$1" -c "import sys; sys.exit(sys.version_info < $oldest)" >/dev/null 2>&1; }

# The first of these that runs and is new enough; PYTHON=... overrides.
find_python() {
    local candidate
    for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
        if usable "$candidate"; then
            printf '%s' "$candidate"
            return 0
        fi
    done
    return 1
}

# As pip does for what it installs: without it, where PYTHONDONTWRITEBYTECODE is set, every program of a drill compiles all anew.
precompile() { "$venv/bin/python" -m compileall -q src || say "src/ could not be compiled ahead: every start takes longer"; }

wanted() { cat requirements/dev.txt pyproject.toml | sha256sum; }

if [ -f "$venv/installed" ] && [ "$(cat "$venv/installed")" = "$(wanted)" ] && [ -x "$venv/bin/python" ]; then
    precompile
    exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
    python=$(find_python) || { scripts/packages.sh python; python=$(find_python); } \
        || stop 3 "no Python 3.11 or newer was found" "install python3 (3.11 or newer), or name one: make setup PYTHON=/path/to/python"
    PYTHON=$python scripts/packages.sh python
    say "Making $venv with $("$python" --version)"
    "$python" -m venv "$venv"
fi
say "Installing what requirements/dev.txt pins"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r requirements/dev.txt
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-index --no-deps --no-build-isolation --editable .
precompile
wanted >"$venv/installed"
say "Ready: $venv"
