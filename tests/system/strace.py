"""txn_server under strace: what it does to the files of its ledger, and what is done to it there."""

import collections
import re

# What strace is asked to look at. Each names the file as a path or as an open file.
CALLS = ("pwritev", "pwrite64", "write", "fdatasync", "fsync", "rename", "openat", "ftruncate", "fallocate", "unlink")
SEGMENTS, SNAPSHOTS, RUNS = 30, 20, 4

# Where a fault is: the N-th such call of one thread about this file, from 1.
Place = collections.namedtuple("Place", "call name number")


def file_names():
    """Every name that a file of a ledger may have here, and the directory itself."""
    numbers = [f"{number:010}" for number in range(1, SEGMENTS + 1)]
    names = ["", "LOCK", "CLOSED", "CLOSED.tmp", "BALLAST"]
    names += [number + suffix for number in numbers for suffix in (".log", ".log.tmp")]
    for number in numbers[:SNAPSHOTS]:
        names += [number + suffix for suffix in (".snap", ".snap.tmp")] + [f"{number}.run.{i}.tmp" for i in range(RUNS)]
    return names


def command(out, directory, names, calls, *more):
    """Runs a program, which stays the child of who starts it, and writes to `out` what it does to these files."""
    paths = [f"-P{directory}/{name}".rstrip("/") for name in names]
    # A seccomp filter lets all other calls through as fast as ever. With it, a later call than the first gets no signal.
    fast = [] if any(":signal=" in option for option in more) else ["--seccomp-bpf"]
    basic = ["strace", "-D", "-f", *fast, "-qq", "-v", "-y", "-s1", "-esignal=none", f"-o{out}"]
    return [*basic, *paths, "-etrace=" + ",".join(calls), *more]


def fault(out, directory, place, effect):
    """As command(); `effect` as strace writes it: error=EIO, signal=SIGKILL."""
    inject = f"-einject={place.call}:{effect}:when={place.number}"
    return command(out, directory, [place.name], [place.call], inject)


def calls_in(trace, directory):
    """Thread, call, name of the file and the rest of the line, of each call that a trace has. The directory has the name ""."""
    found = []
    for line in trace.splitlines():
        match = re.match(r'(\d+) +(\w+)\((?:AT_FDCWD[^,]*, )?(?:\d+<|")' + re.escape(str(directory)) + r'/?([^>"]*)[>"](.*)', line)
        if match:
            found.append(match.groups())
    return found


def places_in(trace, directory):
    """Every place where a fault could have been in this trace."""
    counts = collections.Counter((thread, call, name) for thread, call, name, _ in calls_in(trace, directory))
    most = {}
    for (_, call, name), count in counts.items():
        most[call, name] = max(most.get((call, name), 0), count)
    return [Place(call, name, number) for (call, name), count in sorted(most.items()) for number in range(1, count + 1)]
