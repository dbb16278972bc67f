# The few commands of everyday work. CMakePresets.json and deploy/dev/ do what they name.
#
# Variables: YES=1 installs packages without asking. KVS_PORT and TXN_PORT (5050, 5051) and KVS_STATE (.kvs) are for
# run. FUZZ_SECONDS is for fuzz, SOAK_MINUTES and SOAK_RATE are for soak. ARGS is for bench, such as
# ARGS='--only unary_get --rounds 1'.

KVS_PORT ?= 5050
TXN_PORT ?= 5051
KVS_STATE ?= .kvs
FUZZ_SECONDS ?= 60
export YES KVS_PORT TXN_PORT KVS_STATE

.DEFAULT_GOAL := help
.PHONY: help build run test check test-long fuzz test-mutants test-asan test-tsan test-compose soak bench bench-full \
  bench-micro clean

help:  ## List these commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

build:  ## Build the release: build/release/bin/{kvs_server,txn_server,kvs}
	@deploy/dev/install_packages.sh build
	@deploy/dev/build.sh release kvs_server txn_server kvs

run: build  ## Build and start both services on loopback; Ctrl-C stops them, KVS_STATE keeps the data
	@deploy/dev/run.sh

test:  ## Build and run every test but that of docker-compose.yaml
	@deploy/dev/install_packages.sh build test
	@deploy/dev/test.sh release

test-long:  ## The same with every case of the sweeps instead of a sample, 2,000 kills and fuzzing; takes hours
	@deploy/dev/install_packages.sh build test fuzz
	@deploy/dev/test.sh release long
	@deploy/dev/fuzz.sh 60

fuzz:  ## Give malformed input to whatever reads some, for FUZZ_SECONDS (60) each, under sanitizers
	@deploy/dev/install_packages.sh build fuzz
	@deploy/dev/fuzz.sh $(FUZZ_SECONDS)

test-mutants:  ## Break the programs on purpose, one promise at a time, and see that a test notices each; 10 minutes
	@deploy/dev/install_packages.sh build test
	@/usr/bin/python3 deploy/dev/mutants.py

test-asan:  ## The tests of make test under AddressSanitizer and UndefinedBehaviorSanitizer
	@deploy/dev/install_packages.sh build test
	@deploy/dev/test.sh asan

test-tsan:  ## The same under ThreadSanitizer
	@deploy/dev/install_packages.sh build test
	@deploy/dev/test.sh tsan

test-compose:  ## Build the image and bring docker-compose.yaml up for real; takes minutes and a Docker engine
	@KVS_BIN=build/release/bin KVS_SOURCE=$(CURDIR) /usr/bin/python3 tests/system/compose_test.py

soak:  ## Put a mixed load on both servers for SOAK_MINUTES (60): memory and file descriptors must stay flat
	@deploy/dev/install_packages.sh build test
	@deploy/dev/build.sh release kvs_server txn_server kvs
	@KVS_BIN=build/release/bin KVS_SOURCE=$(CURDIR) /usr/bin/python3 tests/system/soak.py

bench:  ## Compare with Redis, etcd, PostgreSQL and an empty gRPC server: build/bench/results.md; 8 to 15 minutes
	@deploy/dev/install_packages.sh build bench
	@deploy/dev/bench.sh $(ARGS)

bench-full:  ## The same with more and longer rounds
	@deploy/dev/install_packages.sh build bench
	@deploy/dev/bench.sh --rounds 9 --seconds 5 $(ARGS)

bench-micro:  ## Measure parts alone, and count their instructions
	@deploy/dev/install_packages.sh build bench
	@deploy/dev/bench.sh micro $(ARGS)

check:  ## Check layout, likely mistakes, lock annotations, scripts and the rules of this project
	@deploy/dev/install_packages.sh build check
	@deploy/dev/check.sh

clean:  ## Remove build/; data and certificates in .kvs/ stay
	@rm -rf build
