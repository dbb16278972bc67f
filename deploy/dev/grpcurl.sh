#!/usr/bin/env bash
# Where grpcurl is. Usage: grpcurl.sh find | install | how
#
# find     prints its path; exit status 1 where there is none
# install  the same, but builds it into build/tools where Go can; exit status 77 (ctest: skipped) where Go is missing
# how      prints the line that installs it, or how to get Go first
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

module=github.com/fullstorydev/grpcurl/cmd/grpcurl@v1.9.3
tools=$PWD/build/tools
# shellcheck source=deploy/dev/usable_go.sh
. deploy/dev/usable_go.sh

find_grpcurl() {
  local candidate gopath
  gopath=$(go env GOPATH 2>/dev/null) || gopath=
  for candidate in "$(command -v grpcurl)" "$tools/grpcurl" "$gopath/bin/grpcurl"; do
    if [[ -n $candidate && -x $candidate ]]; then
      echo "$candidate"
      return
    fi
  done
  return 1
}

install_grpcurl() {
  find_grpcurl && return
  if ! usable_go; then
    echo "Skipped: there is neither grpcurl nor Go 1.21 or later, which builds it." >&2
    exit 77
  fi
  echo "Building grpcurl into $tools ..." >&2
  GOBIN=$tools go install "$module" >&2
  find_grpcurl
}

how() {
  if ! usable_go; then
    echo "# There is no grpcurl, and no Go 1.21 or later to build it with. Install Go from https://go.dev/dl"
    echo "# (on Debian 13: apt-get install golang-go), then run:"
  fi
  printf 'GOBIN=%q %q install %s\n' "$tools" "$(command -v go || echo go)" "$module"
}

case ${1:-} in
  find) find_grpcurl ;;
  install) install_grpcurl ;;
  how) how ;;
  *)
    echo "usage: grpcurl.sh find | install | how" >&2
    exit 2
    ;;
esac
