#!/usr/bin/env bash
# Builds tests/porcupine with the generated Go client, and prints the path of the program. Exit status 77 (ctest:
# skipped) where Go is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
# shellcheck source=deploy/dev/usable_go.sh
. deploy/dev/usable_go.sh

if ! usable_go; then
  echo "Skipped: there is no Go 1.21 or later, which builds porcupine. Get it from https://go.dev/dl" >&2
  exit 77
fi

tools=$PWD/build/tools
client=build/porcupine
mkdir -p "$tools" "$client"
if [[ ! -x $tools/protoc-gen-go || ! -x $tools/protoc-gen-go-grpc ]]; then
  echo "Building the generators of Go code into $tools ..." >&2
  GOBIN=$tools go install google.golang.org/protobuf/cmd/protoc-gen-go@v1.36.6 >&2
  GOBIN=$tools go install google.golang.org/grpc/cmd/protoc-gen-go-grpc@v1.5.1 >&2
fi
printf 'module github.com/kvs/kvs\n\ngo 1.23.0\n' >"$client/go.mod"
PATH=$tools:$PATH protoc -Iproto --go_out="$client" --go_opt=module=github.com/kvs/kvs \
  --go-grpc_out="$client" --go-grpc_opt=module=github.com/kvs/kvs proto/kvs/v1/*.proto
(cd tests/porcupine && go build -o "$tools/porcupine_load" .) >&2
echo "$tools/porcupine_load"
