"""Somebody has locked a table of the ledger, as VACUUM FULL does for as long as it takes. Whoever asks txn_server how it is gets an
answer and holds up nobody; and where a change waits for the lock, txn_server can still be stopped."""

import threading

from pair import check, check_equal
from postgres import STUCK, Cluster, LockedTable, pair_on, wait_for_session

import grpc

# partition = "0"
STATUS_REQUEST = b"\x0a\x010"


def ask_status(pair):
    """As a client, which may."""
    read = lambda name: (pair.certs / name).read_bytes()
    credentials = grpc.ssl_channel_credentials(read("ca.crt"), read("client.key"), read("client.crt"))
    with grpc.secure_channel(f"localhost:{pair.txn_port}", credentials, [("grpc.enable_http_proxy", 0)]) as channel:
        status = channel.unary_unary("/txn.v1.Ledger/Status")
        return status(STATUS_REQUEST, timeout=20, wait_for_ready=True)


with Cluster() as cluster:
    cluster.sql("CREATE DATABASE kvs")
    with pair_on(cluster, "kvs", ["--drain-timeout=0s"]) as pair:
        pair.start()
        pair.cli("put", "int", "visits", "1")

        lock = LockedTable(cluster, "kvs", "set_members", "ACCESS EXCLUSIVE")
        for visits in range(2, 5):
            check(b"postgres" in ask_status(pair), "no status")
            check_equal(pair.cli("--timeout=5s", "incr", "int", "visits").stdout, f"{visits}\n")
        lock.release()

        lock = LockedTable(cluster, "kvs")
        answers = []
        stuck = threading.Thread(target=lambda: answers.append(pair.cli("--timeout=2s", "incr", "int", "visits", check=False)))
        stuck.start()
        wait_for_session(cluster, STUCK)
        check_equal(pair.txn.terminate(), 8)
        pair.txn.wait_for("the drain does not end")
        stuck.join()
        check(answers[0].returncode != 0, f"acknowledged: {answers[0].stdout}")
        lock.release()
