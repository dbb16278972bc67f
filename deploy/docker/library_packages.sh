#!/usr/bin/env bash
# Prints the Debian packages that hold the shared libraries of programs. Usage: library_packages.sh PROGRAM ...
set -euo pipefail

# Debian 12 lists the files of some packages below /lib, which is a link to /usr/lib.
ldd "$@" | awk '$2 == "=>" { print $3 }' | sort -u | xargs realpath |
  while read -r library; do
    dpkg-query --search "$library" 2>/dev/null || dpkg-query --search "${library#/usr}"
  done | cut -d : -f 1 | sort -u
