#!/usr/bin/env bash
# The control plane's tests once more, on a PostgreSQL of their own (unix socket only, gone afterwards).
set -euo pipefail
cd "$(dirname "$0")/.."
bin=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
dir=$(mktemp -d /var/tmp/longshore-pg.XXXXXX)
as_postgres() { setpriv --reuid=postgres --regid=postgres --clear-groups env -C "$dir" "$@"; }
cleanup() { as_postgres "$bin/pg_ctl" -D "$dir/data" -m immediate stop >/dev/null 2>&1 || true; rm -rf "$dir"; }
trap cleanup EXIT
chown postgres: "$dir"
as_postgres "$bin/initdb" -D "$dir/data" -U longshore --auth=trust -E UTF8 --no-sync >/dev/null
as_postgres "$bin/pg_ctl" -w -D "$dir/data" -l "$dir/log" -o "-c listen_addresses= -c unix_socket_directories=$dir -c fsync=off" start >/dev/null
export DATABASE_URL="postgres://longshore@/longshore?host=$dir"
as_postgres "$bin/createdb" -h "$dir" -U longshore longshore
.venv/bin/pytest tests/controlplane "$@"
