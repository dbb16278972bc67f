#!/usr/bin/env bash
# Runs txn_server and kvs_server on loopback until Ctrl-C, with certificates, ledger and logs in one state directory.
#
# KVS_STATE (.kvs)       the state directory: certs/, data/, log/
# KVS_PORT, TXN_PORT     where kvs_server and txn_server listen: 5050 and 5051
# KVS_BIN                the programs: build/release/bin
# KVS_DRAIN_SECONDS (10) how long each server may take to stop; a second Ctrl-C stops it at once
#
# kvs_server stops first, so that txn_server still takes what is on its way. Exit status: 0 after Ctrl-C, SIGTERM or
# SIGHUP, 1 if a server died or could not start.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
bin=${KVS_BIN:-$root/build/release/bin}
KVS_PORT=${KVS_PORT:-5050}
TXN_PORT=${TXN_PORT:-5051}
drain_seconds=${KVS_DRAIN_SECONDS:-10}
state=$(realpath -m "${KVS_STATE:-$root/.kvs}")
certs=$state/certs
log=$state/log

# Process ids of the two servers while they run, empty otherwise, and what a signal asked for.
txn_server=
kvs_server=
signals=0

# Sleeps without a process: nothing is ever written to this pipe.
exec 8<> <(:)
pause() {
  read -r -t "$1" -u 8 || true
}

# The terminal or the pipe may be gone by the time that there is something to say.
say() {
  echo "$@" 2>/dev/null || true
}

fail() {
  echo "make run: $*" >&2
  exit 1
}

# ---- before the start ----

check_arguments() {
  local name value
  for name in KVS_PORT TXN_PORT; do
    value=${!name}
    if ! [[ $value =~ ^[1-9][0-9]{0,4}$ ]] || ((value > 65535)); then
      fail "$name must be a port from 1 to 65535, not '$value'"
    fi
  done
  ((KVS_PORT != TXN_PORT)) || fail "KVS_PORT and TXN_PORT must differ, both are $KVS_PORT"
  [[ -x $bin/kvs && -x $bin/kvs_server && -x $bin/txn_server ]] || fail "no programs in $bin: run make build first"
}

# The command that stops those who hold the lock: by the script, or the servers themselves where it was killed.
how_to_stop_holders() {
  local pid living=()
  while read -r pid; do
    if [[ -d /proc/$pid ]]; then living+=("$pid"); fi
  done < <(cat "$state/run.pids" 2>/dev/null)
  if [[ ${living[0]:-} == "$(head -n 1 "$state/run.pids" 2>/dev/null)" ]]; then living=("${living[0]:-PID}"); fi
  echo "kill ${living[*]}"
}

# Takes the lock of the state directory. The servers inherit it, so that it is held as long as any of them lives, also
# after this script was killed.
lock_state() {
  umask 077
  mkdir -p "$state" "$log" || fail "cannot write to $state: choose another directory with KVS_STATE=..."
  exec 9>>"$state/run.lock"
  flock --nonblock 9 || {
    fail "a pair already runs on $state: stop it with Ctrl-C in its terminal or with '$(how_to_stop_holders)'," \
      "or choose another directory with KVS_STATE=..."
  }
}

# Prints the process that listens on TCP port $1, or nothing if the port is free. Without root other users' processes
# have no name here.
port_holder() {
  local inode link hex command
  hex=$(printf '%04X' "$1")
  inode=$(cat /proc/net/tcp /proc/net/tcp6 2>/dev/null |
    awk -v port=":$hex\$" '$2 ~ port && $4 == "0A" && !found { found = $10 } END { print found }')
  [[ -n $inode ]] || return 0
  link=$(find /proc/[0-9]*/fd -lname "socket:\[$inode\]" -print -quit 2>/dev/null) || true
  if [[ $link =~ ^/proc/([0-9]+)/ ]]; then
    command=$(tr '\0' ' ' <"/proc/${BASH_REMATCH[1]}/cmdline")
    ((${#command} <= 60)) || command="${command:0:60}..."
    echo "pid ${BASH_REMATCH[1]} (${command% })"
  else
    echo "a process of another user"
  fi
}

check_port() {
  local name=$1 port=$2 holder
  holder=$(port_holder "$port")
  [[ -z $holder ]] || fail "port $port is in use by $holder: stop that, or choose another one with $name=..."
}

# ---- the servers ----

# start NAME ARGS...: a server in a process group of its own, so that Ctrl-C reaches this script only, which stops the
# servers in their order. Leaves the process id in the variable NAME.
start() {
  local name=$1
  shift
  [[ ! -f $log/$name.log ]] || mv -f "$log/$name.log" "$log/$name.log.1"
  set -m
  "$bin/$name" "$@" </dev/null >"$log/$name.log" 2>&1 8>&- &
  set +m
  printf -v "$name" %s "$!"
  printf '%s\n' "$$" "$kvs_server" "$txn_server" | grep . >"$state/run.pids"
}

start_both() {
  local common=(--tls-ca "$certs/ca.crt" --drain-timeout "${drain_seconds}s")
  start txn_server --listen "127.0.0.1:$TXN_PORT" --data-dir "$state/data" \
    --tls-certificate "$certs/txn.crt" --tls-key "$certs/txn.key" "${common[@]}"
  start kvs_server --listen "127.0.0.1:$KVS_PORT" --ledger-address "127.0.0.1:$TXN_PORT" \
    --tls-certificate "$certs/kvs.crt" --tls-key "$certs/kvs.key" "${common[@]}"
}

# Ends this script with status 1, which stops the other server, if one of them is no longer there.
check_alive() {
  local name status
  for name in txn_server kvs_server; do
    [[ -n ${!name} ]] || continue
    if ! kill -0 "${!name}" 2>/dev/null; then
      status=0
      wait "${!name}" 2>/dev/null || status=$?
      printf -v "$name" ''
      report_death "$name" "$status"
      exit 1
    fi
  done
}

report_death() {
  local name=$1 status=$2 how="ended with exit code $2"
  ((status <= 128)) || how="was killed by SIG$(kill -l $((status - 128)))"
  end_progress
  {
    echo "make run: $name $how. The end of its log, $log/$name.log:"
    tail -n 15 "$log/$name.log" | sed 's/^/  /'
  } >&2 2>/dev/null || true
}

# stop NAME: sends SIGTERM, waits until the server is drained, and makes it end at once when the time is up or on a
# second Ctrl-C. Fails if the server did not end with exit code 0.
stop() {
  local name=$1 pid=${!1} status=0 deadline asked=$signals
  [[ -n $pid ]] || return 0
  printf -v "$name" ''
  kill -TERM "$pid" 2>/dev/null || true
  deadline=$((SECONDS + drain_seconds + 5))
  while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline && signals == asked)); do pause 0.05; done
  if kill -0 "$pid" 2>/dev/null; then
    kill -TERM "$pid" 2>/dev/null || true
    deadline=$((SECONDS + 2))
    while kill -0 "$pid" 2>/dev/null && ((SECONDS < deadline)); do pause 0.05; done
    kill -KILL "$pid" 2>/dev/null || true
  fi
  wait "$pid" 2>/dev/null || status=$?
  # SIGTERM kills a server only before it has begun with anything.
  ((status != 128 + $(kill -l TERM))) || status=0
  ((status == 0)) || report_death "$name" "$status"
  return "$status"
}

stop_both() {
  local failed=0
  stop kvs_server || failed=1
  stop txn_server || failed=1
  rm -f "$state/run.pids"
  return "$failed"
}

# ---- while it starts ----

client_flags=(--ca "$certs/ca.crt" --cert "$certs/client.crt" --key "$certs/client.key")

end_progress() {
  [[ ! -t 1 || -z ${progress:-} ]] || printf '\r\033[K'
  progress=
}

# Shows the newest line of a server's log, without its time: kvs_server counts there while it replays.
show_progress() {
  local line
  line=$(tail -n 1 "$log/$1.log" | cut -d ' ' -f 2-)
  line="$1: $line"
  if [[ -t 1 ]]; then line=${line:0:${COLUMNS:-80}-1}; fi
  [[ -n $line && $line != "${progress:-}" ]] || return 0
  progress=$line
  if [[ -t 1 ]]; then printf '\r\033[K%s' "$line"; else echo "$line"; fi
}

# Whether the server at this port is healthy, whatever the user has set for the kvs command.
is_healthy() {
  local status=0 answer
  local health=("$bin/kvs" health --address "localhost:$1" "${client_flags[@]}" --timeout 2s)
  answer=$(env -i HOME=/nonexistent "${health[@]}" 2>&1) || status=$?
  ((status != 2)) || fail "$answer"
  return "$status"
}

# Waits for both, for as long as they live: a replay takes the time that the data needs.
wait_until_healthy() {
  local name port begin=$SECONDS
  for name in txn_server kvs_server; do
    port=$TXN_PORT
    [[ $name == txn_server ]] || port=$KVS_PORT
    until is_healthy "$port"; do
      ((signals == 0)) || return 0
      check_alive
      ((SECONDS - begin < 2)) || show_progress $name
      pause 0.1
    done
  done
  end_progress
}

# ---- what to do with it ----

quoted() {
  printf '%q ' "$@"
}

print_commands() {
  # Where the kvs command finds the pair from this directory and those below it.
  echo "localhost:$KVS_PORT" >"$state/address"
  local kvs grpcurl address=localhost:$KVS_PORT
  kvs=$(quoted "$bin/kvs" --address "$address" "${client_flags[@]}")
  echo
  echo "kvs_server serves on $address, the ledger txn_server on localhost:$TXN_PORT. Data: $state/data, logs: $log"
  echo
  echo "Try it from any terminal:"
  echo "  ${kvs}put int visits 41"
  echo "  ${kvs}incr int visits"
  echo "  ${kvs}get int visits"
  echo "  ${kvs}doctor"
  echo
  if ! grpcurl=$("$root/deploy/dev/grpcurl.sh" find); then
    echo "The same with grpcurl, which this installs:"
    "$root/deploy/dev/grpcurl.sh" how | sed 's/^/  /'
    grpcurl=$root/build/tools/grpcurl
  fi
  grpcurl=$(quoted "$grpcurl" -cacert "$certs/ca.crt" -cert "$certs/client.crt" -key "$certs/client.key")
  echo "  ${grpcurl}$address list"
  echo "  ${grpcurl}-d '{\"key\":\"visits\",\"value\":41}' $address kvs.v1.IntStore/Put"
  echo "  ${grpcurl}-d '{\"key\":\"visits\"}' $address kvs.v1.IntStore/Get"
  echo
  echo "Stop both: Ctrl-C here, or from another terminal: kill $$"
}

main() {
  check_arguments
  lock_state
  check_port KVS_PORT "$KVS_PORT"
  check_port TXN_PORT "$TXN_PORT"
  "$bin/kvs" certs init "$certs" || fail "could not make certificates in $certs"

  trap 'signals=$((signals + 1))' INT TERM HUP
  trap '' PIPE
  trap stop_both EXIT
  start_both
  wait_until_healthy
  if ((signals == 0)); then
    print_commands
    while ((signals == 0)); do
      check_alive
      pause 0.2
    done
  fi

  end_progress
  say "Stopping kvs_server, then txn_server (Ctrl-C again: at once) ..."
  stop_both || exit 1
  say "Stopped. The data stays in $state/data."
}

main
