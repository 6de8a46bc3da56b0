#!/usr/bin/env bash
# The start of the PostgreSQL container: it wants its key to be its own and closed to others, which a
# file that comes from outside is not.
set -euo pipefail
install -m 600 /run/secrets/postgres-key.pem /run/postgresql/server-key.pem
exec docker-entrypoint.sh postgres -c config_file=/etc/postgresql/postgresql.conf
