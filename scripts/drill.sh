#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure the machine has what a drill needs, makes .venv, then hands all arguments to `blackstart drill`.
# What cannot be helped here (no root) is said first: nothing is changed then.
# --yes (or YES=1, or CI=true) agrees to the installation of missing Debian packages.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/talk.sh

about_host() { PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=src "${PYTHON:-python3}" -m blackstart.sandbox.host "$@"; }

refuse() {
    local missing
    missing=$(about_host | paste -sd ' ')
    stop 8 "$(about_host root)${missing:+; also missing packages: $missing}; nothing was changed" "$(about_host without-root)"
}

arguments=()
for argument in "$@"; do
    if [ "$argument" = --yes ]; then YES=1; else arguments+=("$argument"); fi
done
export YES="${YES:-}"

case " ${arguments[*]:-} " in
    *" --help "* | *" --inject list "*) ;; # questions need no machine
    *)
        present "${PYTHON:-python3}" || scripts/packages.sh python
        [ "$(id -u)" = 0 ] || refuse
        scripts/packages.sh drill
        ;;
esac
scripts/setup.sh
exec .venv/bin/blackstart drill "${arguments[@]}"
