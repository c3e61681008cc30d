# SPDX-License-Identifier: Apache-2.0
# How the scripts talk to people: one line per fact, a remedy with each stop. Sourced, never run.

say() { printf '%s\n' "$*"; }

# stop CODE WHAT REMEDY: says why nothing further happens and what to do about it.
stop() {
    printf 'stopped: %s\n' "$2" >&2
    printf '   do: %s\n' "$3" >&2
    exit "$1"
}

# agreed QUESTION: yes when YES=1 or CI is set, otherwise what the person at the terminal answers.
# Without a terminal nobody can answer, which counts as no.
agreed() {
    if [ "${YES:-}" = 1 ] || [ "${CI:-}" = true ] || [ "${CI:-}" = 1 ]; then return 0; fi
    [ -t 0 ] || return 1
    local answer
    read -r -p "$1 [y/N] " answer
    case "$answer" in y | Y | yes | Yes) return 0 ;; *) return 1 ;; esac
}

present() { command -v "$1" >/dev/null 2>&1; }
