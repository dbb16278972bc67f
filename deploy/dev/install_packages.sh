#!/usr/bin/env bash
# Installs the Debian packages that some work here needs. Usage: install_packages.sh build|test|check|bench|fuzz ...
#
# Lists what is missing with its size and its purpose, and asks where there is a terminal; YES=1 answers yes. Where
# there is none, as in CI, it says so and goes on. Uses sudo where the user is not root; without the rights it prints
# the command instead and exits with 1. Debian 12 and 13.
set -euo pipefail

# One package a line, and what it is for.
packages_of() {
  case $1 in
    build)
      cat <<'LIST'
cmake                   configures the build
ninja-build             runs it
g++                     compiles C++20
pkgconf                 finds libraries that bring no CMake files
ccache                  compiles unchanged sources once
mold                    links fast
libgrpc++-dev           gRPC
protobuf-compiler       makes C++ from the proto files
protobuf-compiler-grpc  makes the client stubs
libprotobuf-dev         protobuf messages
libabsl-dev             status, mutex, hash map
libssl-dev              TLS and certificates
libcli11-dev            command line
libtomlplusplus-dev     settings from TOML files
libspdlog-dev           logging
libisal-dev             CRC-32C
libzstd-dev             compressed snapshots
libjemalloc-dev         memory allocation
libpqxx-dev             PostgreSQL
LIST
      ;;
    test)
      cat <<'LIST'
catch2                  unit tests
librapidcheck-dev       property tests
python3                 system tests
python3-grpcio          the Python client of a system test
python3-protobuf        its messages
postgresql              the ledger in a database
openssl                 damaged and foreign certificates
strace                  fails and ends system calls of txn_server
iproute2                networks of a test's own, to divide them
LIST
      ;;
    check)
      cat <<'LIST'
clang-19                checks the lock annotations
clang-format-19         checks the layout of sources
clang-tidy-19           finds likely mistakes
shellcheck              finds mistakes in shell scripts
python3                 checks the rules of this project
python3-protobuf        reads the comments of the proto files
LIST
      ;;
    bench)
      cat <<'LIST'
python3                 runs the rounds
redis-server            is compared with
redis-tools             its load, redis-benchmark
etcd-server             is compared with
postgresql              is compared with
libbenchmark-dev        microbenchmarks
valgrind                counts their instructions where the processor does not
LIST
      ;;
    fuzz)
      cat <<'LIST'
clang-19                compiles for libFuzzer
libclang-rt-19-dev      libFuzzer and the sanitizers
LIST
      ;;
    *)
      echo "install_packages.sh: no set of packages is called '$1'; there are build, test, check, bench and fuzz." >&2
      exit 2
      ;;
  esac
}

is_installed() {
  [[ $(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null) == installed ]]
}

# Prints those of "$@" that no configured archive offers.
without_candidate() {
  local candidates package
  candidates=$(LC_ALL=C apt-cache policy "$@" | awk '/^[^ ]/ { name = $1 } /Candidate: [^(]/ { print name }')
  for package in "$@"; do
    [[ $'\n'$candidates == *$'\n'"$package:"* ]] || echo "$package"
  done
}

as_root() {
  if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Leaves in $rights whether apt-get can be used: as root, with sudo that asks nothing or has a terminal to ask at, or
# not.
find_rights() {
  rights=no
  if ((EUID == 0)); then
    rights=yes
  elif command -v sudo >/dev/null && { sudo -n true 2>/dev/null || [[ -t 0 ]]; }; then
    rights=yes
  fi
}

refuse_without_rights() {
  echo "Neither root nor able to use sudo here. Have an administrator run:" >&2
  echo "  apt-get update && apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
}

# Lets sudo ask for the password, and ends here where it does not let this user in.
claim_rights() {
  [[ $rights == yes ]] || refuse_without_rights
  ((EUID == 0)) || sudo -n true 2>/dev/null || sudo -v || refuse_without_rights
}

update_lists() {
  claim_rights
  echo "Fetching the package lists (apt-get update) ..."
  as_root apt-get update -qq || {
    echo "apt-get update failed, see above: check the network and /etc/apt." >&2
    exit 1
  }
}

# Prints one line a package that an installation of "$@" would add or upgrade: name, bytes to download, KiB on disk.
sizes_of_installing() {
  LC_ALL=C apt-get -s -o Debug::NoLocking=1 install --no-install-recommends "$@" |
    sed -n 's/^Inst \([^ ]*\) \(\[[^]]*\] \)\?(\([^ ]*\) .*/\1=\3/p' |
    xargs -r env LC_ALL=C apt-cache show |
    awk '/^Package: / { name = $2 }
         /^Version: / { version = $2 }
         /^Installed-Size: / { disk = $2 }
         /^Size: / { size = $2 }
         /^$/ && name != "" { if (!seen[name "=" version]++) print name, size, disk; name = "" }'
}

size_text() {
  awk -v bytes="$1" 'BEGIN { if (bytes < 1e5) printf "%.0f kB", bytes / 1e3; else printf "%.1f MB", bytes / 1e6 }'
}

# Tells what would be installed, from the output of sizes_of_installing.
print_plan() {
  local sizes=$1 package purpose size
  echo "Missing Debian packages, the size of their download and what they are for:"
  for set in "${sets[@]}"; do
    while read -r package purpose; do
      [[ " ${missing[*]} " == *" $package "* ]] || continue
      size=$(awk -v name="$package" '$1 == name { print $2 }' <<<"$sizes")
      printf '  %-24s %9s  %s\n' "$package" "$(size_text "${size:-0}")" "$purpose"
    done < <(packages_of "$set")
  done
  awk '{ bytes += $2; kib += $3 }
       END { printf "With all that they need: %d packages, %.0f MB to download, %.0f MB on disk.\n",
                    NR, bytes / 1e6, kib * 1024 / 1e6 }' <<<"$sizes"
}

confirm() {
  if [[ ${YES:-} == 1 ]]; then
    return
  fi
  if [[ ${CI:-} == true || ! -t 0 || ! -t 1 ]]; then
    echo "No terminal to ask at: installing them."
    return
  fi
  local answer
  read -r -p "Install them now? [Y/n] " answer
  case $answer in
    '' | [Yy] | [Yy][Ee][Ss]) ;;
    *)
      echo "Nothing was installed. To do it yourself: apt-get install --no-install-recommends ${missing[*]}" >&2
      exit 1
      ;;
  esac
}

# Shows apt-get at work on a terminal. Elsewhere its hundreds of lines are kept for the case that it fails.
install() {
  local command=(env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${missing[@]}")
  if [[ -t 1 ]]; then
    as_root "${command[@]}"
    return
  fi
  local log
  log=$(mktemp)
  if as_root "${command[@]}" </dev/null >"$log" 2>&1; then
    rm -f "$log"
  else
    cat "$log" >&2
    rm -f "$log"
    return 1
  fi
}

main() {
  (($# > 0)) || { echo "usage: install_packages.sh build|test|check|bench|fuzz ..." >&2; exit 2; }
  sets=("$@")
  local listing set
  listing=$(for set in "${sets[@]}"; do packages_of "$set"; done)
  if ! command -v apt-get >/dev/null || ! command -v dpkg-query >/dev/null; then
    echo "No apt-get here: taking it that what the Debian packages hold is installed. They are:"
    awk '{ print "  " $0 }' <<<"$listing"
    return
  fi

  missing=()
  local package unknown
  while read -r package _; do
    if ! is_installed "$package" && [[ " ${missing[*]} " != *" $package "* ]]; then missing+=("$package"); fi
  done <<<"$listing"
  ((${#missing[@]} > 0)) || return 0

  find_rights
  if [[ -n $(without_candidate "${missing[@]}") ]]; then
    echo "Missing Debian packages: ${missing[*]}"
    update_lists
    unknown=$(without_candidate "${missing[@]}")
    if [[ -n $unknown ]]; then
      echo "apt-get knows no package ${unknown//$'\n'/ }. Debian 12 and 13 have it in 'main': see the warnings above," \
        "if any, and /etc/apt/sources.list." >&2
      exit 1
    fi
  fi
  print_plan "$(sizes_of_installing "${missing[@]}")"
  [[ $rights == yes ]] || refuse_without_rights
  confirm
  claim_rights
  # Lists that have aged name files that the archive no longer has.
  install || { update_lists && install; }
  echo "Installed: ${missing[*]}"
}

main "$@"
