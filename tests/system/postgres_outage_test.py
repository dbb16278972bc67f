"""PostgreSQL goes away under a pair: changes are refused at once and leave nothing behind, reads go on, both logs say it once, and
when PostgreSQL is back everything works again without anybody's help."""

from pair import check, check_equal
from postgres import Cluster, pair_on

with Cluster() as cluster:
    cluster.sql("CREATE DATABASE kvs")
    with pair_on(cluster, "kvs") as pair:
        pair.start()
        pair.cli("put", "int", "visits", "1")
        cluster.crash()
        caught = pair.cli("incr", "int", "caught", check=False)
        check("its ledger has not confirmed it" in caught.stderr, caught.stderr)
        pair.kvs.wait_for(r"the ledger is away")

        # Long before the time that a change may wait for its ledger.
        refused = pair.cli("--timeout=1s", "incr", "int", "refused", check=False)
        check("nothing was changed" in refused.stderr, refused.stderr)
        check_equal(pair.cli("get", "int", "visits").stdout, "1\n")

        cluster.start()
        pair.kvs.wait_for(r"the ledger is back")
        check_equal(pair.cli("incr", "int", "visits").stdout, "2\n")
        check_equal(pair.cli("get", "int", "caught").stdout, "1\n")
        check_equal(pair.cli("get", "int", "refused", check=False).returncode, 1)
        check_equal(cluster.sql("SELECT string_agg(key, ' ' ORDER BY revision) FROM history", "kvs"), "visits caught visits")

        told = [line for line in pair.txn.lines if " WARN " in line]
        check_equal(len(told), 2)
        check("lost the connection to PostgreSQL" in told[0] and "connected to PostgreSQL again" in told[1], told)
        # As libpqxx 6 and 7 have it.
        why = ("the server closed the connection", "Lost connection to the database server")
        check(any(text in told[0] for text in why), told[0])

        # An index of the user's that fails for a value: nothing more is written until it is dropped, and then everything.
        cluster.sql("CREATE INDEX of_mine ON string_transactions ((value::integer))", "kvs")
        caught = pair.cli("--timeout=1s", "put", "string", "note", "no number", check=False)
        check_equal(caught.returncode == 0, False)
        pair.txn.wait_for(r"the log did not accept a group.*an index.*22P02")
        cluster.sql("DROP INDEX of_mine", "kvs")
        check_equal(pair.cli("incr", "int", "visits").stdout, "3\n")
        check_equal(pair.cli("get", "string", "note").stdout, "no number\n")
        check("no number" not in pair.txn.log() + pair.kvs.log(), "a value is logged")
