"""Load on a pair, and servers that are killed, stopped and gone on meanwhile."""

import contextlib
import math
import os
import signal
import subprocess
import time

from pair import check

# How long a server stands still: longer than kvs_server waits for the ledger, so that callers are told that their outcomes are
# not known.
STOP_SECONDS = 0.6
COMMIT_WAIT = "--max-commit-wait=300ms"
# How long whatever is done with a million calls may take.
CHECK_SECONDS = 1800


def kill_kvs(pair):
    pair.kvs.kill()
    pair.start_kvs().wait_for(r"\bserving\b")


def kill_txn(pair):
    pair.kvs.lines.clear()
    pair.txn.kill()
    pair.start_txn()
    pair.kvs.wait_for(r"the ledger is back")


def kill_both(pair):
    pair.kvs.kill()
    pair.txn.kill()
    pair.start_txn()
    pair.start_kvs().wait_for(r"\bserving\b")


@contextlib.contextmanager
def standing_still(server):
    """The body comes after a while, and may kill it."""
    os.kill(server.process.pid, signal.SIGSTOP)
    time.sleep(STOP_SECONDS)
    yield
    if server.process.poll() is None:
        os.kill(server.process.pid, signal.SIGCONT)


def stop_kvs(pair):
    with standing_still(pair.kvs):
        pass


def stop_txn(pair):
    with standing_still(pair.txn):
        pass


def kill_kvs_that_waits(pair):
    """What it has sent reaches the ledger after its end."""
    with standing_still(pair.txn):
        pair.kvs.kill()
    pair.start_kvs().wait_for(r"\bserving\b")


def kill_both_while_kvs_waits(pair):
    """What was not answered meanwhile is lost; nothing was to be answered."""
    with standing_still(pair.txn):
        kill_both(pair)


FAULTS = [kill_kvs, kill_txn, kill_both, stop_kvs, stop_txn, kill_kvs_that_waits, kill_both_while_kvs_waits]


class Load:
    """A program that makes calls on a pair and tells how many: a number on each line, then "done"."""

    def __init__(self, program, pair, calls, seed):
        certificates = [pair.certs / name for name in ("ca.crt", "client.crt", "client.key")]
        arguments = [program, f"localhost:{pair.kvs_port}", *certificates, calls, seed]
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )
        self.done = 0

    def wait_for(self, calls):
        """Until there are so many."""
        while self.done < calls:
            self._read()

    def wait_for_end(self):
        while self.done < math.inf:
            self._read()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError("the load ended:\n" + self.process.stderr.read())
        self.done = math.inf if line == "done\n" else int(line)

    def finish(self, text, seconds):
        """Gives it its input; what it printed then, and its exit status."""
        out, err = self.process.communicate(text, timeout=seconds)
        return out, err, self.process.returncode


def run_with_faults(program, pair, calls, faults, chance, more_kinds=()):
    """The load, with so many faults at random moments, until it is over. A fault is a function that makes it and mends it."""
    load = Load(program, pair, calls, chance.randrange(1 << 60))
    kinds = [*FAULTS, *more_kinds]
    kinds = [kinds[i % len(kinds)] for i in range(faults)]
    chance.shuffle(kinds)
    for i, fault in enumerate(kinds):
        load.wait_for((i * calls + chance.randrange(calls)) // (faults + 1))
        fault(pair)
    load.wait_for_end()
    return load


def check_figures(figures):
    """Whether a history was hard enough to prove something."""
    calls = figures["calls"]
    check(figures["keys"] <= 16, f"{figures['keys']} keys")
    check(figures["clients"] >= 16, f"{figures['clients']} clients")
    check(figures["overlapping"] >= 0.3 * calls, f"{figures['overlapping']} of {calls} calls overlap another one on a key")
    check(figures["unknown"] >= 0.01 * calls, f"{figures['unknown']} of {calls} outcomes are unknown")
