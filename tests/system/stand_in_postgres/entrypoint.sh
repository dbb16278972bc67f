#!/usr/bin/env bash
# Starts PostgreSQL as the entrypoint of the official image does, as far as docker-compose.yaml relies on it: reads the
# file with the password as root and goes on as postgres; sets up a new database with its socket only; lets everybody in
# on the socket, and who has the password from the network.
set -euo pipefail

if [[ $(id -u) == 0 ]]; then
  POSTGRES_PASSWORD=$(<"$POSTGRES_PASSWORD_FILE")
  export POSTGRES_PASSWORD
  unset POSTGRES_PASSWORD_FILE
  install -d -o postgres -m 0700 "$PGDATA"
  install -d -o postgres -m 3775 /run/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [[ ! -s $PGDATA/PG_VERSION ]]; then
  read -ra arguments <<<"${POSTGRES_INITDB_ARGS:-}"
  initdb --username="$POSTGRES_USER" "${arguments[@]}" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  pg_ctl start --wait --options="-c listen_addresses=''"
  psql --dbname=postgres --set=name="$POSTGRES_DB" <<<'CREATE DATABASE :"name";'
  pg_ctl stop --wait --mode=fast
fi
exec "$@"
