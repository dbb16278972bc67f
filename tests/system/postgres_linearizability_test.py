"""The same as linearizability_test.py on the PostgreSQL ledger, with PostgreSQL among what is killed. The ledger is copied into
files, where the checker reads it."""

import json
import subprocess

from linearizability import CHECK_SECONDS, COMMIT_WAIT, Network, check_figures, run_with_faults
from pair import BIN, check_equal
from postgres import Cluster, pair_on
from size import LONG, seeded

CALLS = 1_000_000 if LONG else 10_000
FAULTS = 120 if LONG else 14

with Cluster() as cluster:

    def kill_postgres(pair):
        pair.kvs.lines.clear()
        cluster.crash()
        cluster.start()

    cluster.sql("CREATE DATABASE kvs")
    with pair_on(cluster, "kvs", ["--retention=full"]) as pair, Network(pair) as network:
        pair.kvs_args.append(COMMIT_WAIT)
        pair.start()
        load = run_with_faults(BIN / "linearizability_load", pair, network, CALLS, FAULTS, seeded(), [kill_postgres])
        pair.stop()
        copied = pair.directory / "copied"
        copy = [BIN / "txn_server", "copy", "--from=postgres:dbname=kvs", f"--to=file:{copied}"]
        subprocess.run(copy, env=cluster.environment(), check=True, timeout=CHECK_SECONDS)
        out, err, status = load.finish(f"{copied}\n", CHECK_SECONDS)
        print(f"{out}{err}")
        check_equal(status, 0)
        check_figures(json.loads(out))
