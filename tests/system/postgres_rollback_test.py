"""The database of a running pair is put back to a backup: what was acknowledged after it is only in the memory of kvs_server now, so
that raises its alarm, keeps it readable, and refuses to go on; a new kvs_server goes on from the backup."""

from pair import check, check_equal
from postgres import Cluster, pair_on

with Cluster() as cluster:
    cluster.sql("CREATE DATABASE kvs")
    with pair_on(cluster, "kvs") as pair:
        pair.start()
        pair.cli("put", "int", "visits", "1")
        backup = cluster.dump("kvs")
        pair.cli("put", "int", "visits", "2")
        cluster.sql("DROP DATABASE kvs WITH (FORCE); CREATE DATABASE kvs")
        cluster.sql(backup, "kvs")

        pair.cli("put", "int", "other", "1", check=False)
        pair.kvs.wait_for(r"the ledger holds less than it acknowledged.*acknowledged revision 2 and ends at 1 now")
        check("LEDGER_STATE_DATA_LOSS" in pair.cli("--output=json", "status").stdout, "no alarm")
        check("NOT_SERVING" in pair.cli("health", check=False).stdout, "in health")
        refused = pair.cli("put", "int", "visits", "3", check=False)
        check("nothing was changed" in refused.stderr, refused.stderr)
        check_equal(pair.cli("get", "int", "visits", check=False).stdout, "2\n")
        check_equal(pair.kvs.process.poll(), None)

        pair.kvs.terminate()
        pair.start_kvs().wait_for(r"\bserving\b")
        check_equal(pair.cli("get", "int", "visits").stdout, "1\n")
        check_equal(pair.cli("incr", "int", "visits").stdout, "2\n")
