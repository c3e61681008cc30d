#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Done once for each release, where there is a network: fetches the packages that requirements.txt names, each checked
# against its hash, and packs them as application.tar.gz with its SHA-256 beside it.
# Usage: build.sh PYTHON FOLDER    (a Python that has venv and pip; the folder for the artefact)
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" -m venv --without-pip "$work/venv"
"$1" -m pip --python "$work/venv/bin/python" --disable-pip-version-check install --quiet \
    --only-binary=:all: --require-hashes --requirement "$here/requirements.txt"
cd "$work/venv"
chmod -R a+rX .
tar --owner=0 --group=0 -czf "$2/application.tar.gz" lib bin/kinto
cd "$2"
sha256sum application.tar.gz >application.tar.gz.sha256
