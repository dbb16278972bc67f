"""kill -9 of kvs_server, txn_server and PostgreSQL under load: what was acknowledged is there afterwards, and nothing else is, in
the servers as in the tables."""

from kills import kill_kvs, kill_txn, survive, values
from pair import check_equal
from postgres import Cluster, pair_on

with Cluster() as cluster:

    def kill_postgres(pair):
        cluster.crash()
        return cluster.start

    cluster.sql("CREATE DATABASE kvs")
    with pair_on(cluster, "kvs") as pair:
        pair.start()
        counters = survive(pair, 6, [kill_txn, kill_kvs, kill_postgres])
        rows = cluster.sql("SELECT key || ' ' || value FROM current_values ORDER BY key", "kvs").splitlines()
        found = values(pair, counters)
        expected = {key: found[writer.key] for writer in counters for key in writer.keys()}
        check_equal(sorted(rows), sorted(f"{key} {value}" for key, value in expected.items()))
        # Every value was written once: there are as many changes as the counters count.
        changes, newest = cluster.sql("SELECT count(*), max(revision) FROM history", "kvs").split("|")
        check_equal(changes, newest)
        check_equal(int(changes), sum(expected.values()))
