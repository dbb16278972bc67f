#!/usr/bin/env bash
# Says how to use the services that docker-compose.yaml has brought up.
set -euo pipefail

address=localhost:${KVS_PORT:-5050}
cat <<TEXT

kvs serves on $address. Try it:

  docker compose exec kvs kvs put int visits 41
  docker compose exec kvs kvs incr int visits
  docker compose cp kvs:/etc/kvs/certs/ca.crt kvs-ca.crt
  grpcurl -cacert kvs-ca.crt -d '{"key":"visits"}' $address kvs.v1.IntStore/Get
TEXT
# Only the services of the chosen profile have a name in the network.
if getent hosts postgres >/dev/null; then
  cat <<'TEXT'
  docker compose exec postgres psql -c 'SELECT * FROM history ORDER BY revision'

Every change is a row of this PostgreSQL.
TEXT
else
  cat <<'TEXT'

Every change is in the files of txn-file, without PostgreSQL.
TEXT
fi
cat <<'TEXT'
docker compose down (with the same --profile, if any) stops everything and keeps the data; docs/compose.md has the rest.
TEXT
