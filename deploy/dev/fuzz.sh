#!/usr/bin/env bash
# Builds the fuzz targets with libFuzzer, AddressSanitizer and UndefinedBehaviorSanitizer, and runs each for a while, as
# many at a time as there are processors. Usage: fuzz.sh [SECONDS [TARGET ...]]
#
# Without targets it runs all of tests/fuzz, for 60 seconds each. What is found is written to build/fuzz/found, and the
# exit status is 1; the inputs that reached new code stay in build/fuzz/corpus for the next time. Prints one line a
# target: how many inputs it ran, and what it found.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

seconds=${1:-60}
targets=("${@:2}")
if ((${#targets[@]} == 0)); then
  for source in tests/fuzz/*_fuzz.cc; do
    target=$(basename "$source" _fuzz.cc)
    targets+=("$target")
  done
fi
found=build/fuzz/found
logs=build/fuzz/logs

run_target() {
  local target=$1 status=0 dictionary=()
  local corpus=build/fuzz/corpus/$target log=$logs/$target.log
  mkdir -p "$corpus"
  if [[ -f tests/fuzz/dictionaries/$target.dict ]]; then
    dictionary=(-dict="tests/fuzz/dictionaries/$target.dict")
  fi
  build/fuzz/bin/"fuzz_$target" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=3072 -print_final_stats=1 \
    -artifact_prefix="$found/$target-" "${dictionary[@]}" "$corpus" "tests/fuzz/corpus/$target" \
    >"$log" 2>&1 || status=$?
  local runs coverage
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  coverage=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
  if ((status == 0)); then
    echo "$target: ${runs:-no} inputs, ${coverage:-no} places of the code, nothing found"
    return
  fi
  grep -E 'broken promise|ERROR: |runtime error|SUMMARY' "$log" >&2 || tail -n 20 "$log" >&2
  local input
  input=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
  echo "$target: FAILED after ${runs:-no} inputs, see $log. To run it again alone:"
  echo "  build/fuzz/bin/fuzz_$target ${input:-}"
  return 1
}
mkdir -p "$found" "$logs"
deploy/dev/build.sh fuzz "${targets[@]/#/fuzz_}"
status=0
running=0
for target in "${targets[@]}"; do
  if ((running == $(nproc))); then
    wait -n || status=1
    running=$((running - 1))
  fi
  run_target "$target" &
  running=$((running + 1))
done
while ((running > 0)); do
  wait -n || status=1
  running=$((running - 1))
done
exit "$status"
