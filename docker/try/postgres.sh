#!/usr/bin/env bash
# Makes the data directory on first start, then serves it.
set -euo pipefail
: "${POSTGRES_PASSWORD:?expected a password, got none}"
data=/var/lib/postgresql/data
if [[ ! -s $data/PG_VERSION ]]; then
  initdb --pgdata "$data" --username "$POSTGRES_USER" --pwfile <(echo "$POSTGRES_PASSWORD") \
    --encoding UTF8 --locale C.UTF-8 --auth-local trust --auth-host scram-sha-256 >/dev/null
  echo "host all all all scram-sha-256" >>"$data/pg_hba.conf"
  pg_ctl --pgdata "$data" --options "-c listen_addresses=" --wait start >/dev/null
  createdb --username "$POSTGRES_USER" "$POSTGRES_DB"
  for script in /docker-entrypoint-initdb.d/*.sql; do
    psql --quiet --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" --file "$script"
  done
  pg_ctl --pgdata "$data" --wait stop >/dev/null
fi
exec postgres -D "$data" -c "listen_addresses=*"
