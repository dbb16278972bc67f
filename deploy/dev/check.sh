#!/usr/bin/env bash
# Checks what tests cannot: layout, likely mistakes, lock annotations, shell scripts and the rules of this project. Goes
# on after a failure, so that one run tells everything, and leaves the numbers of passed and failed checks in
# build/check-counts.
#
# CLANG_VERSION is fixed, since each version of clang-format has its own idea of the layout; Debian 12 and 13 both have
# it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

CLANG_VERSION=19
passed=0
failed=0

check() {
  local name=$1 begin=$SECONDS
  shift
  echo "== $name"
  if "$@"; then
    passed=$((passed + 1))
    echo "== $name: passed after $((SECONDS - begin)) s"
  else
    failed=$((failed + 1))
    echo "== $name: FAILED after $((SECONDS - begin)) s"
  fi
}

check_layout() {
  git ls-files -z '*.cc' '*.h' | xargs -0 "clang-format-$CLANG_VERSION" --dry-run -Werror
}

check_shell() {
  git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
}

check_rules() {
  /usr/bin/python3 deploy/dev/tidy.py
}

# Our own sources, as the build of the preset clang compiles them.
sources_to_analyse() {
  /usr/bin/python3 - <<'PYTHON'
import json
import os

with open("build/clang/compile_commands.json") as commands:
    paths = {os.path.relpath(entry["file"]) for entry in json.load(commands)}
print("\n".join(sorted(path for path in paths if not path.startswith(("build/", "tests/")))))
PYTHON
}

# clang-tidy compiles with the flags of the preset clang, -Wthread-safety and -Werror among them, so that one pass over
# the sources also verifies the lock annotations. It needs the generated sources and the precompiled header.
check_code() {
  deploy/dev/build.sh clang kvs_generated kvs_pch >build/clang.log 2>&1 || {
    cat build/clang.log
    return 1
  }
  sources_to_analyse |
    xargs -P "$(nproc)" -n 1 "clang-tidy-$CLANG_VERSION" -p build/clang --quiet 2> >(grep -v 'warnings\? generated' >&2)
}

mkdir -p build
rm -f build/check-counts
check "layout (clang-format)" check_layout
check "shell scripts (shellcheck)" check_shell
check "rules of this project (deploy/dev/tidy.py)" check_rules
check "likely mistakes and lock annotations (clang-tidy)" check_code
echo "Checks: $passed passed, $failed failed"
echo "$passed $failed" >build/check-counts
((failed == 0))
