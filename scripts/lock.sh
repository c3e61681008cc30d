#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Writes requirements/*.txt anew from pyproject.toml: exact versions, a hash for every file, no place they came from.
# Uses uv out of a throw-away environment; one resolution serves Python 3.11, 3.12 and 3.13.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/talk.sh

tools=$(mktemp -d)
trap 'rm -rf "$tools"' EXIT
.venv/bin/python -m venv "$tools"
"$tools/bin/pip" install --quiet --disable-pip-version-check uv

lock() { # OUTPUT SOURCE ARGUMENTS...
    local output=$1 source=$2
    shift 2
    say "Locking $output"
    "$tools/bin/uv" pip compile "$source" --quiet --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-header --upgrade "$@" --output-file "$tools/locked.txt"
    { printf '# Made by `make lock` from %s. Do not edit.\n' "${source##*/}"; sed "s#$tools/#requirements/#" "$tools/locked.txt"; } >"$output"
}

lock requirements/runtime.txt pyproject.toml
lock requirements/dev.txt pyproject.toml --extra sandbox --extra dev --constraint requirements/runtime.txt
lock src/blackstart/sandbox/webapp/application/requirements.txt src/blackstart/sandbox/webapp/application/requirements.in
