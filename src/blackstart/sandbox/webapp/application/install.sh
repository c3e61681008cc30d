#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the application into $APP_FOLDER from the wheels beside this script, offline, each checked against its hash.
# Usage: install.sh PYTHON    (a Python that has venv and pip)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$APP_FOLDER/venv"
"$1" -m venv --without-pip "$APP_FOLDER/venv"
"$1" -m pip --python "$APP_FOLDER/venv/bin/python" --disable-pip-version-check --no-cache-dir install --quiet \
    --no-index --find-links "$here/wheels" --require-hashes --requirement "$here/requirements.txt"
chmod -R a+rX "$APP_FOLDER/venv"
"$APP_FOLDER/venv/bin/python" "$APP_FOLDER/venv/bin/kinto" version
