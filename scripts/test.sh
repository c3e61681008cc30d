#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the quick tests on every core (docs/adr/0017): scripts/test.sh [PYTEST ARGUMENTS...]; VENV names another environment.
set -euo pipefail
cd "$(dirname "$0")/.."

exec "${VENV:-.venv}/bin/python" -m pytest -q -n auto --maxprocesses=8 --dist worksteal "$@"
