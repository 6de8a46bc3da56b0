#!/usr/bin/env bash
# At the first start of the PostgreSQL container: the services' roles and databases. For a service or a
# password that is new later, run it again: docker compose exec postgres bash /docker-entrypoint-initdb.d/services.sh
set -euo pipefail
cat /run/secrets/postgres-services.psql /etc/postgresql/services.sql |
    psql -X -q -v ON_ERROR_STOP=1 -h /var/run/postgresql -U postgres -d postgres
