#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the artefact beside this script into $APP_FOLDER: no network, refused when a byte of it is another.
# Usage: install.sh PYTHON    (of the same minor version as the one that built it)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
(cd "$here" && sha256sum --check --quiet application.tar.gz.sha256)
rm -rf "$APP_FOLDER/venv"
"$1" -m venv --without-pip "$APP_FOLDER/venv"
tar --no-same-owner -xzf "$here/application.tar.gz" -C "$APP_FOLDER/venv"
sed -i "1s|^#!.*|#!$APP_FOLDER/venv/bin/python|" "$APP_FOLDER/venv/bin/kinto"
"$APP_FOLDER/venv/bin/kinto" version
