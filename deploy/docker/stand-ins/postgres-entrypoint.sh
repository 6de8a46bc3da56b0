#!/usr/bin/env bash
# What compose.yaml uses of the official image's entry point: the user, the first start with its password
# from a file, and the scripts that run in it.
set -euo pipefail

if [ "$(id -u)" -eq 0 ]; then
    chown postgres "$PGDATA" /run/postgresql
    POSTGRES_PASSWORD=$(cat "$POSTGRES_PASSWORD_FILE")
    export POSTGRES_PASSWORD
    exec setpriv --reuid postgres --regid postgres --init-groups "$0" "$@"
fi

if [ ! -s "$PGDATA/PG_VERSION" ]; then
    chmod 700 "$PGDATA"
    # shellcheck disable=SC2086 # a list of words
    initdb --username=postgres --pwfile=<(printf '%s\n' "${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")}") \
        ${POSTGRES_INITDB_ARGS:-}
    echo 'host all all all scram-sha-256' >>"$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
    # As it will be run, but heard on its socket only.
    pg_ctl -w -D "$PGDATA" -o "$(printf '%q ' "${@:2}") -c listen_addresses=''" start
    for script in /docker-entrypoint-initdb.d/*.sh; do
        [ -f "$script" ] || continue
        # shellcheck disable=SC1090
        if [ -x "$script" ]; then "$script"; else . "$script"; fi
    done
    pg_ctl -w -m fast -D "$PGDATA" stop
fi
exec "$@"
