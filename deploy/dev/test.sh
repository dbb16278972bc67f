#!/usr/bin/env bash
# Builds one preset and runs its tests. Usage: test.sh PRESET [TEST_PRESET]
#
# The test preset says how much of them; without one it is that of the same name.
# Prints one summary line from the results that ctest wrote, and leaves the numbers of passed and failed tests in
# build/PRESET/test-counts. With CI=true a skipped test is a failed one.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

preset=${1:?usage: test.sh PRESET [TEST_PRESET]}
test_preset=${2:-$preset}
results=$PWD/build/$preset/test-results.xml
counts=build/$preset/test-counts

attribute() {
  sed -n "1,20s/.*$1=\"\\([0-9]*\\)\".*/\\1/p" "$results" | head -n 1
}

rm -f "$results" "$counts"
deploy/dev/build.sh "$preset"
# Tests ask for them again and say why they are not there.
deploy/dev/grpcurl.sh install >/dev/null || true
deploy/dev/porcupine.sh >/dev/null || true

wrapper=()
if [[ $preset == tsan ]] && setarch -R true 2>/dev/null; then wrapper=(setarch -R); fi
status=0
"${wrapper[@]}" ctest --preset "$test_preset" --parallel "$(nproc)" --no-tests=error --output-junit "$results" ||
  status=$?
if [[ ! -f $results ]]; then
  echo "ctest wrote no results: exit status $status" >&2
  exit 1
fi

total=$(attribute tests)
failed=$(attribute failures)
skipped=$(($(attribute skipped) + $(attribute disabled)))
passed=$((total - failed - skipped))
echo "Tests of the preset $test_preset: $passed passed, $failed failed, $skipped skipped"
if [[ ${CI:-} == true && $skipped -gt 0 ]]; then
  echo "Skipped tests count as failed here, see 'did not run' above."
  failed=$((failed + skipped))
fi
((failed == 0 || status != 0)) || status=1
echo "$passed $failed" >"$counts"
exit "$status"
