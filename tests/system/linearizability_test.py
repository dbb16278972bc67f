"""Linearizability of every verb, with the servers killed and stopped in the middle: 24 clients, 16 keys, and a checker that
compares all that they were told with the ledger, see tests/support/linearizability/checker.h."""

import json
import time

from linearizability import COMMIT_WAIT, FAULTS, Load, check_figures
from pair import BIN, DEADLINE_SECONDS, Pair, check, check_equal
from size import LONG, seeded

CALLS = 1_000_000 if LONG else 100_000
ROUNDS = 100 if LONG else 15


def run(pair, calls, rounds, chance):
    certificates = [pair.certs / name for name in ("ca.crt", "client.crt", "client.key")]
    load = Load([BIN / "linearizability_load", f"localhost:{pair.kvs_port}", *certificates, calls, chance.randrange(1 << 60)])
    faults = [FAULTS[i % len(FAULTS)] for i in range(rounds)]
    chance.shuffle(faults)
    for i, fault in enumerate(faults):
        load.wait_for(calls * i // (rounds + 1) + chance.randrange(calls // (rounds + 1)))
        fault(pair)
    load.wait_for(calls)
    return load


with Pair(txn_args=["--retention=full"], kvs_args=[COMMIT_WAIT]) as pair:
    pair.start()
    chance = seeded()
    begin = time.monotonic()
    load = run(pair, CALLS, ROUNDS, chance)
    pair.stop()
    print(f"{time.monotonic() - begin:.1f} s of load")
    begin = time.monotonic()
    out, err, status = load.finish(f"{pair.data}\n", 10 * DEADLINE_SECONDS)
    print(f"{time.monotonic() - begin:.1f} s of checking\n{out}{err}")
    check_equal(status, 0)
    check_figures(json.loads(out))
