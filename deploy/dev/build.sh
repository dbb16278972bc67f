#!/usr/bin/env bash
# Configures and builds one preset of CMakePresets.json. Usage: build.sh PRESET [TARGET ...]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

preset=${1:?usage: build.sh PRESET [TARGET ...]}
shift
targets=()
(($# == 0)) || targets=(--target "$@")

# ThreadSanitizer of gcc 12 needs the address layout that newer kernels randomize away, also while the build lists the
# tests.
wrapper=()
if [[ $preset == tsan ]] && setarch -R true 2>/dev/null; then wrapper=(setarch -R); fi

# Ninja configures again by itself when a CMake file changes; the first time is ours.
if [[ ! -f build/$preset/build.ninja ]]; then
  mkdir -p "build/$preset"
  log=build/$preset/configure.log
  cmake --preset "$preset" >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
  }
fi
exec "${wrapper[@]}" cmake --build --preset "$preset" --parallel "$(nproc)" "${targets[@]}"
