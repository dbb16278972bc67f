"""Linearizability as porcupine sees it: clients of the generated Go code, with the servers killed and stopped and connections broken in the middle. It
knows nothing of revisions or of the ledger, and has to find an order by itself; so of a few keys at a time."""

import json
import subprocess
import sys
import time

from linearizability import CHECK_SECONDS, COMMIT_WAIT, Network, run_with_faults
from pair import SOURCE, Pair, check, check_equal
from size import LONG, seeded

SKIPPED = 77
CALLS = 300_000 if LONG else 20_000
FAULTS = 70 if LONG else 13

# Built where there is Go; skipped where there is none.
built = subprocess.run([SOURCE / "deploy" / "dev" / "porcupine.sh"], stdout=subprocess.PIPE, text=True, timeout=600)
if built.returncode != 0:
    sys.exit(SKIPPED if built.returncode == SKIPPED else 1)

with Pair(kvs_args=[COMMIT_WAIT]) as pair, Network(pair) as network:
    pair.start()
    chance = seeded()
    begin = time.monotonic()
    load = run_with_faults(built.stdout.strip(), pair, network, CALLS, FAULTS, chance)
    print(f"{time.monotonic() - begin:.1f} s of load")
    begin = time.monotonic()
    out, err, status = load.finish("", CHECK_SECONDS)
    print(f"{time.monotonic() - begin:.1f} s of checking\n{out}{err}")
    check_equal(status, 0)
    figures = json.loads(out)
    check(figures["calls"] >= 0.9 * CALLS, figures)
    check(figures["unknown"] >= 0.01 * CALLS, figures)
