#!/usr/bin/env bash
# For other scripts to read: where Go is, and whether it will do.

# The official archive of Go is unpacked here and often not on the PATH of services.
PATH=$PATH:/usr/local/go/bin

# Go before 1.21 can neither build what we need nor fetch a newer Go by itself.
usable_go() {
  local version
  version=$(go env GOVERSION 2>/dev/null) || return 1
  [[ $version =~ ^go1\.([0-9]+) ]] && ((BASH_REMATCH[1] >= 21))
}
