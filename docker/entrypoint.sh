#!/usr/bin/env bash
# The roles of the image: prefect-server, mlflow-server, deploy, worker. Anything else is run as a command.
# With PGPASSWORD set, the servers keep their records in PostgreSQL, at PGHOST; otherwise in SQLite under /state.
set -euo pipefail
umask 077 # query sets are secrets, in volumes too

wait_for_postgres() {
  local deadline=$((SECONDS + 60))
  until (exec 3<>"/dev/tcp/${PGHOST}/5432") 2>/dev/null; do
    if ((SECONDS >= deadline)); then
      echo "expected PostgreSQL at ${PGHOST}:5432, got no answer: start it with the profile 'postgres'," \
        "or leave POSTGRES_PASSWORD empty to keep records in SQLite" >&2
      exit 1
    fi
    sleep 1
  done
}

if [[ "$1" == deploy || "$1" == worker ]] && [[ -z "${PREFECT_API_URL:-}" ]]; then
  echo "PREFECT_API_URL: expected the address of a Prefect server, got none; docs/docker.md has a stack with one" >&2
  exit 2
fi

case "$1" in
  prefect-server)
    database=sqlite+aiosqlite:////state/prefect.db
    if [[ -n "${PGPASSWORD:-}" ]]; then
      wait_for_postgres
      database="postgresql+asyncpg://${PGUSER}@${PGHOST}/prefect" # the password comes from PGPASSWORD
    fi
    export PREFECT_API_DATABASE_CONNECTION_URL="$database"
    export PREFECT_UI_STATIC_DIRECTORY=/state/ui # Prefect writes its pages out, and may not beside its modules
    exec prefect server start --host 0.0.0.0 --port 4200
    ;;
  mlflow-server)
    database=sqlite:////state/mlflow.db
    if [[ -n "${PGPASSWORD:-}" ]]; then
      wait_for_postgres
      database="postgresql+psycopg://${PGUSER}@${PGHOST}/mlflow"
    fi
    cd /state # MLflow's users are kept in basic_auth.db, here
    exec mlflow server --host 0.0.0.0 --port 5000 --workers 1 --app-name basic-auth \
      --backend-store-uri "$database" --artifacts-destination /state/artifacts
    ;;
  deploy)
    exec python -m flows deploy --pool naturalfinger --type process
    ;;
  worker)
    exec prefect worker start --pool naturalfinger --type process --limit 1 --with-healthcheck
    ;;
  *)
    exec "$@"
    ;;
esac
