"""Linearizability of every verb, with the servers killed and stopped and connections broken in the middle: 24 clients, 16 keys, and a checker that
compares all that they were told with the ledger, see tests/support/linearizability/checker.h."""

import json
import time

from linearizability import CHECK_SECONDS, COMMIT_WAIT, Network, check_figures, run_with_faults
from pair import BIN, Pair, check_equal
from size import LONG, seeded

CALLS = 1_000_000 if LONG else 100_000
FAULTS = 140 if LONG else 20

with Pair(txn_args=["--retention=full"], kvs_args=[COMMIT_WAIT]) as pair, Network(pair) as network:
    pair.start()
    chance = seeded()
    begin = time.monotonic()
    load = run_with_faults(BIN / "linearizability_load", pair, network, CALLS, FAULTS, chance)
    pair.stop()
    print(f"{time.monotonic() - begin:.1f} s of load")
    begin = time.monotonic()
    out, err, status = load.finish(f"{pair.data}\n", CHECK_SECONDS)
    print(f"{time.monotonic() - begin:.1f} s of checking\n{out}{err}")
    check_equal(status, 0)
    check_figures(json.loads(out))
