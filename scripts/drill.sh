#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure the machine has what a drill needs, then hands all arguments to `blackstart drill`.
# --yes (or YES=1, or CI=true) agrees to the installation of missing Debian packages.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/talk.sh

arguments=()
for argument in "$@"; do
    if [ "$argument" = --yes ]; then YES=1; else arguments+=("$argument"); fi
done
export YES="${YES:-}"

case " ${arguments[*]:-} " in
    *" --help "* | *" --inject list "*) ;; # questions need no machine
    *) scripts/packages.sh drill ;;
esac
exec .venv/bin/blackstart drill "${arguments[@]}"
