#!/usr/bin/env bash
# Prints the Debian packages that hold the shared libraries of programs, one a line. Usage: library_packages.sh PROGRAM ...
set -euo pipefail

# ldd and dpkg disagree about /lib and /usr/lib, so only the names of the files are compared.
ldd "$@" | awk '$2 == "=>" { print $3 }' | sort -u | xargs realpath |
  while read -r library; do
    dpkg-query --search "*/${library##*/}"
  done | cut -d : -f 1 | sort -u
