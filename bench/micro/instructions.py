#!/usr/bin/python3
"""How many instructions each microbenchmark takes for an iteration, which does not depend on what else the machine does.

Counted by the processor where it offers that (perf), and otherwise by valgrind --tool=callgrind, which is slow. Each runs twice,
with so many iterations and twice as many, and the difference is what one iteration takes, without what was prepared. Those
that prepare something in each iteration are counted with it.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys

# One iteration of these is a whole fold of 150,000 keys, so that fewer do.
FOLD_SHARE = 200
ROOT = pathlib.Path(__file__).resolve().parents[2]


def by_perf(command, environment):
    done = subprocess.run(["perf", "stat", "-x,", "-e", "instructions:u", *command], env=environment, capture_output=True, text=True)
    found = re.search(r"^(\d+),,instructions", done.stderr, re.MULTILINE)
    return int(found.group(1)) if found else None


def by_callgrind(command, environment):
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null", *command], env=environment, capture_output=True, text=True
    )
    found = re.search(r"Collected : (\d+)", done.stderr)
    if not found:
        sys.exit(f"instructions: callgrind counted nothing:\n{done.stderr[-1000:]}")
    return int(found.group(1))


def choose_counter():
    if shutil.which("perf") and by_perf(["true"], os.environ):
        return by_perf
    if shutil.which("valgrind"):
        return by_callgrind
    sys.exit("instructions: neither perf with hardware counters nor valgrind is here")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=".", metavar="REGEX", help="the microbenchmarks whose names have this")
    parser.add_argument("--iterations", type=int, default=1000, help="the smaller number (%(default)s)")
    parser.add_argument("--micro", default=ROOT / "build" / "release" / "bin" / "micro", help="the program")
    options = parser.parse_args()
    count = choose_counter()
    print(f"instructions an iteration, by {count.__name__.removeprefix('by_')}:")
    listed = subprocess.run([options.micro, "--benchmark_list_tests"], capture_output=True, text=True, check=True).stdout.split()
    for name in dict.fromkeys(re.sub(r"/iterations:\d+$", "", name) for name in listed):
        if not re.search(options.only, name):
            continue
        command = [str(options.micro), f"--benchmark_filter=^{re.escape(name)}(/iterations:.*)?$"]
        iterations = max(options.iterations // (FOLD_SHARE if name.startswith("fold/") else 1), 1)
        counts = [count(command, {**os.environ, "KVS_MICRO_ITERATIONS": str(i * iterations)}) for i in (1, 2)]
        print(f"{name:24} {(counts[1] - counts[0]) / iterations:12,.0f}", flush=True)


main()
