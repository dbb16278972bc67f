#!/usr/bin/env bash
# Configures and builds one preset of CMakePresets.json. Usage: build.sh PRESET [TARGET ...]
#
# Without targets it builds everything. Tests are left out of a new build directory where targets are named, so that
# these need only the packages of the set "build".
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

preset=${1:?usage: build.sh PRESET [TARGET ...]}
shift
targets=()
tests=ON
if (($# > 0)); then
  targets=(--target "$@")
  tests=OFF
fi

# ThreadSanitizer of gcc 12 needs the address layout that newer kernels randomize away, also while the build lists the
# tests.
wrapper=()
if [[ $preset == tsan ]] && setarch -R true 2>/dev/null; then wrapper=(setarch -R); fi

configured_without_tests() {
  grep -q '^BUILD_TESTING:BOOL=OFF' "build/$preset/CMakeCache.txt"
}

# Ninja configures again by itself when a CMake file changes; the first time is ours, and so is adding the tests.
if [[ ! -f build/$preset/build.ninja ]] || { [[ $tests == ON ]] && configured_without_tests; }; then
  mkdir -p "build/$preset"
  log=build/$preset/configure.log
  cmake --preset "$preset" -DBUILD_TESTING="$tests" >"$log" 2>&1 || {
    cat "$log" >&2
    exit 1
  }
fi
exec "${wrapper[@]}" cmake --build --preset "$preset" --parallel "$(nproc)" "${targets[@]}"
