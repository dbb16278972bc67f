"""Connections as they should not be: a client that does not read, one that sends no request, and a path to the ledger that
swallows everything without a word. None of them keeps a server from its work, or from stopping in time."""

import pathlib
import socket
import threading
import time

import grpc

from http2 import call, connect
from pair import Pair, Process, check, check_equal
from proxy import Proxy

DRAIN_SECONDS = 1
# Far more than a drain takes, far less than the 20 s after which the system gives up a connection by itself.
STOPPED_SECONDS = 10


def flood(port, path, message, calls):
    """An HTTP/2 client with the largest windows, which asks often and never reads an answer."""
    client = connect(port)
    client.sendall(b"".join(call(2 * i + 1, path, message) for i in range(calls)))
    return client


with Pair() as pair:
    pair.start_txn()
    plain = Process(
        "kvs_server",
        [
            "--insecure", "--listen=127.0.0.1:0", f"--drain-timeout={DRAIN_SECONDS}s",
            f"--ledger-address=127.0.0.1:{pair.txn_port}", *pair.tls("kvs"),
        ],
    )
    port = plain.port()
    plain.wait_for(r"\bserving\b")
    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.enable_http_proxy", 0)]) as channel:
        put = channel.unary_unary("/kvs.v1.StringStore/Put")
        key, value = b"\x0a\x03big", b"x" * (1 << 20)
        put(key + b"\x12\x80\x80\x40" + value, timeout=30)

        # Keys.List without a request.
        try:
            list(channel.stream_stream("/kvs.v1.Keys/List")(iter([]), timeout=30))
            check(False, "a list without a request was answered")
        except grpc.RpcError as error:
            check_equal(error.code(), grpc.StatusCode.INVALID_ARGUMENT)

    client = flood(port, b"/kvs.v1.StringStore/Get", key, 300)
    inode = pathlib.Path("/proc") / str(plain.process.pid)
    # Until the answers fill what the system buffers for the connection, so that gRPC has to wait.
    quiet = before = -1
    while quiet < 5:
        now = sum(int(line.split()[1]) for line in (inode / "io").read_text().splitlines() if line.startswith("wchar"))
        quiet, before = (quiet + 1, now) if now == before else (0, now)
        threading.Event().wait(0.05)
    began = time.monotonic()
    check_equal(plain.terminate(), 0)
    took = time.monotonic() - began
    check(took < STOPPED_SECONDS, f"stopped only after {took:.1f} s")
    client.close()

    # The ledger cannot be reached over the old connection, and nobody says so; over a new one it can.
    with Proxy(pair.txn_port) as proxy:
        pair.ledger_address = f"127.0.0.1:{proxy.port}"
        pair.start_kvs().wait_for(r"\bserving\b")
        pair.cli("put", "int", "before", "1")
        proxy.swallow()
        pair.kvs.wait_for("the ledger is back")
        pair.cli("put", "int", "after", "2")
        check_equal(pair.cli("get", "int", "before").stdout, "1\n")

print("ok")
