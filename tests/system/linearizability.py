"""Load on a pair, with servers that are killed, stopped and gone on, and connections that break, meanwhile."""

import contextlib
import math
import os
import signal
import subprocess
import time

from pair import check
from proxy import Proxy

# How long a server stands still: longer than kvs_server waits for the ledger, so that callers are told that their outcomes are
# not known.
STOP_SECONDS = 0.6
COMMIT_WAIT = "--max-commit-wait=300ms"
# How much passes before a connection is reset: enough for that to be in the middle of a message.
RESET_BYTES = 777
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


class Network:
    """What is between the clients, kvs_server and txn_server, which is to be begun with this: a proxy each. A context manager."""

    def __init__(self, pair):
        self.clients = Proxy(pair.kvs_port)
        self.ledger = Proxy(pair.txn_port)
        self.port = self.clients.port  # for clients
        pair.ledger_address = f"localhost:{self.ledger.port}"
        self.faults = [self.cut_clients, self.reset_clients, self.hold_clients, self.cut_ledger, self.reset_ledger, self.hold_ledger]

    def cut_clients(self, pair):
        self.clients.cut()

    def reset_clients(self, pair):
        self.clients.reset_after(RESET_BYTES)

    def hold_clients(self, pair):
        self.clients.hold()
        time.sleep(STOP_SECONDS)
        self.clients.release()

    def cut_ledger(self, pair):
        pair.kvs.lines.clear()
        self.ledger.cut()
        pair.kvs.wait_for(r"the ledger is back")

    def reset_ledger(self, pair):
        pair.kvs.lines.clear()
        self.ledger.reset_after(RESET_BYTES)
        pair.kvs.wait_for(r"the ledger is back")

    def hold_ledger(self, pair):
        self.ledger.hold()
        time.sleep(STOP_SECONDS)
        self.ledger.release()

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.clients.__exit__(kind, error, trace)
        self.ledger.__exit__(kind, error, trace)


class Load:
    """A program that makes calls on a pair and tells how many: a number on each line, then "done"."""

    def __init__(self, program, pair, port, calls, seed):
        certificates = [pair.certs / name for name in ("ca.crt", "client.crt", "client.key")]
        arguments = [program, f"localhost:{port}", *certificates, calls, seed]
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


def run_with_faults(program, pair, network, calls, faults, chance, more_kinds=()):
    """The load, with so many faults at random moments, until it is over. A fault is a function that makes it and mends it."""
    load = Load(program, pair, network.port, calls, chance.randrange(1 << 60))
    kinds = [*FAULTS, *network.faults, *more_kinds]
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
