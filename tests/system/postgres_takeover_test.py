"""A txn_server that is stopped in the middle of a transaction does not hold the ledger for ever: another pair on the same database
takes over, and the first one finds itself fenced when it goes on."""

import signal
import threading

from pair import check, check_equal
from postgres import IDLE, STUCK, Cluster, LockedTable, pair_on, wait_for_session

with Cluster() as cluster:
    cluster.sql("CREATE DATABASE kvs")
    with pair_on(cluster, "kvs") as first, pair_on(cluster, "kvs") as second:
        first.start()
        first.cli("put", "int", "before", "1")
        lock = LockedTable(cluster, "kvs")
        stuck = threading.Thread(target=lambda: answers.append(first.cli("put", "int", "stuck", "2", check=False)))
        answers = []
        stuck.start()
        wait_for_session(cluster, STUCK)
        first.txn.process.send_signal(signal.SIGSTOP)
        lock.release()
        # The transaction is there, but for its COMMIT, and the row of the ledger is locked.
        wait_for_session(cluster, IDLE)

        second.start()
        second.cli("put", "int", "after", "3")
        check_equal(second.cli("get", "int", "before").stdout, "1\n")

        first.txn.process.send_signal(signal.SIGCONT)
        check_equal(first.kvs.wait(), 5)
        stuck.join()
        check(answers[0].returncode != 0, f"acknowledged: {answers[0].stdout}")
        check_equal(second.cli("keys", "--type", "int").stdout, "after\nbefore\n")
        check_equal(cluster.sql("SELECT string_agg(key, ' ' ORDER BY revision) FROM history", "kvs"), "before after")
        check_equal(cluster.sql("SELECT epoch FROM ledger", "kvs"), "2")
