#!/usr/bin/python3
"""The benchmark of `make bench`: measures kvs and what it is compared with, in turn, and writes the results to build/bench.

  bench/run.py                                                everything
  bench/run.py --only unary_get --rounds 1 --seconds 1        one row, quickly
"""

import argparse
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import results
import servers
from processes import Failure
from samples import Clients
from table import MEASUREMENTS, ROWS, Bench, peer_of

ROOT = pathlib.Path(__file__).resolve().parents[1]
# An alternative for a baseline that is slower than this share of the best one is not measured again.
HOPELESS = 0.6


def positive(kind):
    """A number of this kind, above zero."""
    def read(text):
        if kind(text) <= 0:
            raise argparse.ArgumentTypeError(f"{text} is not above 0")
        return kind(text)
    return read


def parse():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", action="append", metavar="NAME", help="a row, or all rows whose names contain this; may be repeated")
    parser.add_argument("--rounds", type=positive(int), default=5, help="how often everything is measured (%(default)s)")
    parser.add_argument("--seconds", type=positive(float), default=0.75, help="how long each measurement takes (%(default)s)")
    parser.add_argument("--keys", type=positive(int), default=1_000_000, help="how many keys there are (%(default)s)")
    parser.add_argument("--start-keys", type=positive(int), default=5_000_000, help="of the rows about starts (%(default)s)")
    parser.add_argument("--many-keys", type=positive(int), default=10_000_000, help="of scale_keys (%(default)s)")
    parser.add_argument("--allow-missing", action="store_true", help="leave rows out whose peers are not installed")
    parser.add_argument("--dir", type=pathlib.Path, help="where all data goes, not on tmpfs (a new directory below --out)")
    parser.add_argument("--bin", type=pathlib.Path, default=ROOT / "build" / "release" / "bin", help="the programs")
    parser.add_argument("--out", type=pathlib.Path, help="where the results go (build/bench, and build/bench/only with --only)")
    options = parser.parse_args()
    options.out = options.out or ROOT / "build" / "bench" / ("only" if options.only else "")
    return options


def chosen_rows(only):
    if not only:
        return ROWS
    names = set()
    for part in only:
        found = {row.name for row in ROWS if row.name == part} or {row.name for row in ROWS if part in row.name}
        if not found:
            raise Failure(f"no row has the name {part}, or one with that in it: {', '.join(row.name for row in ROWS)}")
        names |= found
    return [row for row in ROWS if row.name in names]


def check_peers(rows, allow_missing):
    """The rows whose peers are installed."""
    absent = {}
    for peer in {peer_of(name) for row in rows for name in row.measurements()} - {None}:
        if problem := servers.missing(peer):
            absent[peer] = problem
    for problem in absent.values():
        print(problem, file=sys.stderr)
    if absent and not allow_missing:
        raise Failure("a peer is missing: deploy/dev/install_packages.sh bench installs all; --allow-missing leaves their rows out")
    return [row for row in rows if not absent.keys() & {peer_of(name) for name in row.measurements()}]


def check_file_system(directory):
    """Data in memory would make everything durable for free."""
    kind = subprocess.run(["/usr/bin/stat", "--file-system", "--format=%T", directory.resolve()], check=True, text=True,
                          capture_output=True).stdout.strip()
    if kind in ("tmpfs", "ramfs"):
        raise Failure(f"{directory} is on {kind}, where nothing is durable: choose another --dir")
    return kind


def measure_stage(bench, rows, rounds):
    """All measurements of these rows, in turn, round by round."""
    names = list(dict.fromkeys(name for row in rows for name in row.measurements()))
    samples = {name: [] for name in names}
    for number in range(rounds):
        for name in names:
            begin = time.monotonic()
            bench.settle()
            sample = MEASUREMENTS[name](bench)
            if sample.value == 0:
                raise Failure(f"{name} counted nothing in {bench.clients.seconds} s: give it more --seconds, or a machine less busy")
            samples[name].append(sample)
            print(f"  {number + 1}/{rounds} {name}: {results.number(sample.value)} "
                  f"(p50 {results.number(sample.p50_us)} us, {time.monotonic() - begin:.1f} s)", flush=True)
        if number == 0:
            hopeless = find_hopeless(rows, samples)
            names = [name for name in names if name not in hopeless]
    return {name: found for name, found in samples.items() if len(found) == rounds}


def find_hopeless(rows, samples):
    """Alternatives that cannot become the best baseline of a row any more."""
    hopeless = set()
    for row in rows:
        value = {name: getattr(samples[name][0], row.field) for name in row.baseline}
        for name, found in value.items():
            share = min(value.values()) / found if row.least else found / max(value.values())
            if share < HOPELESS:
                hopeless.add(name)
    return hopeless - {row.value for row in rows}


def measure(options, rows, directory):
    """The results of rows, by name."""
    clients = Clients(options.bin, options.seconds, options.keys)
    bench = Bench(options.bin, directory, clients, options.start_keys, options.many_keys, options.keys)
    found = {}
    for stage in dict.fromkeys(row.stage for row in rows):
        print(f"{stage}:", flush=True)
        rows_of_stage = [row for row in rows if row.stage == stage]
        try:
            samples = measure_stage(bench, rows_of_stage, options.rounds)
        finally:
            bench.stop()
        found.update({row.name: results.result(row, samples) for row in rows_of_stage})
    return found


def run(options):
    rows = chosen_rows(options.only)
    measured_rows = check_peers(rows, options.allow_missing)
    if not (options.bin / "kvs_server").exists():
        raise Failure(f"there is no kvs_server in {options.bin}: build it with `make build`")
    try:
        for wanted in filter(None, (options.out, options.dir)):
            wanted.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(str(error)) from error
    before = results.read(options.out)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="data-", dir=options.dir or options.out))
    directory.chmod(0o755)
    try:
        settings = {
            "bin": options.bin, "rounds": options.rounds, "seconds": options.seconds, "keys": options.keys,
            "start_keys": options.start_keys, "many_keys": options.many_keys, "file_system": check_file_system(directory),
        }
        about = results.environment(settings)
        if results.is_busy(about):
            print(f"the processors are {about['busy_before']:.0%} busy: what else runs here will slow this down", file=sys.stderr)
        found = measure(options, measured_rows, directory)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    print(results.write(options.out, [found.get(row.name) or results.missing(row) for row in rows], before, about))
    print(f"Results: {options.out}/results.json, results.md, results.svg")


def main():
    options = parse()
    # So that servers are stopped and data is removed.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(1))
    try:
        run(options)
    except Failure as failure:
        print(f"bench: {failure}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
