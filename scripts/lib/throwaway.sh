# shellcheck shell=bash disable=SC2034,SC2154
# A server that lives as long as one command: what scripts/with-* share. Sourced by them.
#
# The script that sources this sets `name`, and defines
#   prepare    makes what the server needs in $folder, once (may be left out)
#   serve      runs the server on $port in the foreground; called in a process of its own, it ends
#              with `become COMMAND...`
#   answers    whether the server on $port answers
# and then calls `throwaway COMMAND...`. It may set
#   taken      what the server's log says when another process has the port (a pattern for grep)
#   signal     what ends the server (default KILL: nothing on it is worth keeping)
#   as_owner   what to put before its commands so that they run as another user
#   announce   a function that exports what the command is told, once the server answers
#
# Nothing asks for a free port and then takes it, which is a race: a port is taken by the server, and if
# that fails the next one is tried. The kernel tells the server when this script dies, even by kill -9.

taken='[Aa]ddress already in use'
signal=KILL
as_owner=()
server=

say() { printf 'with-%s: %s\n' "$name" "$*" >&2; }
die() { say "$*"; exit 1; }

# random_secret: 32 hexadecimal digits.
random_secret() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# become COMMAND...: is this command from now on, as the owner, until this script dies.
become() {
    local until_death=()
    if command -v setpriv >/dev/null; then
        until_death=("${as_owner[@]}")
        [ ${#until_death[@]} -gt 0 ] || until_death=(setpriv)
        until_death+=(--pdeathsig "$signal")
    fi
    cd "$folder" || exit
    exec "${until_death[@]}" "$@"
}

prepare() { :; }

finish() {
    trap - EXIT INT TERM HUP
    if [ -n "$server" ] && kill -s "$signal" "$server" 2>/dev/null; then
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$folder"
}

start() {
    local waited
    port=$((20000 + (RANDOM * 32768 + RANDOM) % 12000))
    # Its log tells whether this port was taken, so it begins anew with each.
    (serve) >"$folder/server.log" 2>&1 &
    server=$!
    for ((waited = 0; waited < 600; waited++)); do
        if ! kill -0 "$server" 2>/dev/null || grep -q "$taken" "$folder/server.log"; then
            kill -s "$signal" "$server" 2>/dev/null || true
            wait "$server" 2>/dev/null || true
            server=
            return 1
        fi
        if answers; then return 0; fi
        sleep 0.05
    done
    return 1
}

throwaway() {
    local attempt code=0
    folder=$(mktemp -d "${TMPDIR:-/tmp}/kontor-$name.XXXXXX")
    trap finish EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
    prepare
    for attempt in 1 2 3 4 5 6 7 8; do
        if start; then break; fi
        if [ "$attempt" -lt 8 ] && grep -q "$taken" "$folder/server.log"; then continue; fi
        cat "$folder/server.log" >&2
        die "the server could not be started"
    done
    announce
    "$@" || code=$?
    if ! answers; then
        tail -n 50 "$folder/server.log" >&2
        say "the server was gone when the command ended"
        [ "$code" -ne 0 ] || code=1
    fi
    exit "$code"
}
