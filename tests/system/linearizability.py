"""Load on a pair, and servers that are killed, stopped and gone on meanwhile."""

import json
import os
import signal
import subprocess
import time

from pair import BIN, check

# How long a server stands still: past COMMIT_WAIT, so that answers are given that the ledger did not confirm.
STOP_SECONDS = 0.6
COMMIT_WAIT = "--max-commit-wait=300ms"


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


def stand_still(process):
    os.kill(process.process.pid, signal.SIGSTOP)
    time.sleep(STOP_SECONDS)
    os.kill(process.process.pid, signal.SIGCONT)


def stop_kvs(pair):
    stand_still(pair.kvs)


def stop_txn(pair):
    stand_still(pair.txn)


FAULTS = [kill_kvs, kill_txn, kill_both, stop_kvs, stop_txn]


class Load:
    """A program that makes calls and tells how many: a number on each line, then "done"."""

    def __init__(self, arguments):
        self.process = subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        )

    def wait_for(self, calls):
        """Until there are so many, or no more."""
        for line in self.process.stdout:
            if line == "done\n" or int(line) >= calls:
                return
        raise AssertionError("the load ended:\n" + self.process.stderr.read())

    def finish(self, text, seconds):
        """Gives it the rest of its input; what it printed then, and its exit status."""
        out, err = self.process.communicate(text, timeout=seconds)
        return out.split("done\n")[-1], err, self.process.returncode


def check_figures(figures):
    """Whether a history was hard enough to prove something."""
    calls = figures["calls"]
    check(figures["keys"] <= 16, f"{figures['keys']} keys")
    check(figures["clients"] >= 16, f"{figures['clients']} clients")
    check(figures["overlapping"] >= 0.3 * calls, f"{figures['overlapping']} of {calls} calls overlap another one on a key")
    check(figures["unknown"] >= 0.01 * calls, f"{figures['unknown']} of {calls} outcomes are unknown")
