#!/usr/bin/env bash
# Makes what the services of docker-compose.yaml share, in /etc/kvs: certificates and the password of the database.
#
# What is there and good is kept. A password in the file that KVS_POSTGRES_PASSWORD_FILE names wins over the one made
# before. Prints no secret.
set -euo pipefail
umask 077

directory=/etc/kvs
password_file=$directory/postgres-password

write() {
  cat >"$1.new"
  mv -f "$1.new" "$1"
}

given_password() {
  [[ -r ${KVS_POSTGRES_PASSWORD_FILE:-} ]] && cat "$KVS_POSTGRES_PASSWORD_FILE"
}

kvs certs init "$directory/certs" --name "${KVS_CLIENT_NAME:-compose}"

password=$(given_password || true)
if [[ $password == *$'\n'* ]]; then
  echo "The password of the database must be one line, see KVS_POSTGRES_PASSWORD." >&2
  exit 1
fi
if [[ -n $password ]]; then
  echo "took the password of the database from KVS_POSTGRES_PASSWORD"
elif [[ -s $password_file ]]; then
  password=$(<"$password_file")
  echo "kept $password_file"
else
  password=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
  echo "made $password_file: a random password"
fi
# printf and sed get it through a pipe: arguments can be seen in the list of processes. libpq wants : and \ escaped.
printf '%s\n' "$password" | write "$password_file"
sed 's/[\\:]/\\&/g; s/^/*:*:*:*:/' "$password_file" | write "$directory/pgpass"
