#!/usr/bin/env bash
# Builds what a benchmark needs and runs it. Usage: bench.sh [micro] [ARGUMENT ...]
#
# The arguments are those of bench/run.py, and with `micro` those of bench/micro/instructions.py, before which the
# microbenchmarks run.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

# The programs of bench/ are left out otherwise.
if ! grep -q '^KVS_BENCH:BOOL=ON' build/release/CMakeCache.txt 2>/dev/null; then
  tests=()
  [[ -f build/release/CMakeCache.txt ]] || tests=(-DBUILD_TESTING=OFF)
  mkdir -p build/release
  cmake --preset release -DKVS_BENCH=ON "${tests[@]}" >build/release/configure.log 2>&1 || {
    cat build/release/configure.log >&2
    exit 1
  }
fi

if [[ ${1:-} == micro ]]; then
  shift
  deploy/dev/build.sh release micro
  build/release/bin/micro
  exec bench/micro/instructions.py "$@"
fi
deploy/dev/build.sh release kvs_server txn_server kvs kvs_bench_programs
exec bench/run.py "$@"
