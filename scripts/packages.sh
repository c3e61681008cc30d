#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes sure that the Debian packages behind the programs we call are there.
#   scripts/packages.sh python   what `make setup` needs
#   scripts/packages.sh drill    what `make drill` needs besides
#   scripts/packages.sh chaos    what `make chaos` needs besides: a PostgreSQL of this machine's own
# Says what it would install and asks (YES=1 or CI=true: does not ask). Installing starts no service.
# Exit code 3: something is missing and nothing was changed; 4: apt failed.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/talk.sh

policy=/usr/sbin/policy-rc.d
signature='blackstart: no service starts while its packages are installed'
missing=()

list_missing_python() {
    local python=${PYTHON:-python3}
    present "$python" || missing+=(python3)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then missing+=(python3-venv); fi
}

# The sandbox itself knows what it calls; this asks it, with any Python, so that there is one list.
list_missing_drill() {
    local found
    found=$(PYTHONDONTWRITEBYTECODE=1 PYTHONPATH=src "${PYTHON:-python3}" -m blackstart.sandbox.host)
    [ -z "$found" ] || mapfile -t missing <<<"$found"
}

list_missing_chaos() {
    list_missing_drill
    [ -x /usr/lib/postgresql/15/bin/postgres ] || missing+=(postgresql-15)
}

lists_present() { apt-cache show nodejs >/dev/null 2>&1; }

deny_service_start() {
    if [ -e "$policy" ] && ! grep -q "$signature" "$policy"; then return 0; fi
    printf '#!/bin/sh\n# %s\nexit 101\n' "$signature" >"$policy"
    chmod 755 "$policy"
    trap allow_service_start EXIT
}

# Also removes what a killed run left.
allow_service_start() {
    if [ -e "$policy" ] && grep -q "$signature" "$policy"; then rm -f "$policy"; fi
}

# Quiet while it goes well; everything it said when it does not.
apt() {
    local log
    log=$(mktemp)
    if ! DEBIAN_FRONTEND=noninteractive apt-get -q -o DPkg::Lock::Timeout=120 "$@" >"$log" 2>&1; then
        cat "$log" >&2
        rm -f "$log"
        stop 4 "apt-get $1 failed, as told above" "repair that, then run this again; what was installed stays"
    fi
    rm -f "$log"
}

install() {
    local wanted="$*"
    present apt-get || stop 3 "missing: $wanted; this is not a Debian system" "install these with your own package system"
    [ "$(id -u)" = 0 ] || stop 3 "missing packages: $wanted; nothing was changed" "sudo apt-get install --no-install-recommends $wanted"
    say "Missing Debian packages: $wanted"
    say "They will be installed by apt; no service will be started."
    agreed "Install them now?" || stop 3 "nothing was changed" "answer y, or run again with YES=1"
    deny_service_start
    lists_present || { say "Reading package lists ..." && apt update; }
    say "Installing ..."
    # shellcheck disable=SC2086  # a list of package names
    apt install -y --no-install-recommends $wanted
    say "Installed."
    allow_service_start
}

if [ "$(id -u)" = 0 ]; then allow_service_start; fi
case "${1:-}" in
    python) list_missing_python ;;
    drill) list_missing_drill ;;
    chaos) list_missing_chaos ;;
    *) stop 2 "unknown set of packages: '${1:-}'" "scripts/packages.sh python | drill | chaos" ;;
esac
if [ "${#missing[@]}" -gt 0 ]; then
    mapfile -t missing < <(printf '%s\n' "${missing[@]}" | sort -u)
    install "${missing[@]}"
fi
