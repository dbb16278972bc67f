"""How the programs start and end: exit codes, drains, bad settings, ports and data directories in use."""

import json
import os
import signal
import subprocess

from pair import BIN, Pair, Process, check, check_equal, run


def refused(program, args, code, *words):
    """Starts a program that must end by itself with `code` and say `words`."""
    done = run([BIN / program, *args], check=False)
    check_equal(done.returncode, code)
    for word in words:
        check(word in done.stderr, f"{program} {args} does not say {word!r}: {done.stderr}")


refused("kvs_server", ["--no-such-flag"], 2, "--no-such-flag")
refused("kvs_server", ["--drain-timeout=soon"], 2, "drain-timeout", "soon")
refused("kvs_server", [], 2, "--tls-ca", "kvs certs init")
refused("txn_server", ["--data-dir=/tmp/x", "--insecure", "--listen=0.0.0.0:0"], 2, "plaintext", "--insecure-any-address")
for program in ("kvs_server", "txn_server"):
    check_equal(run([BIN / program, "--help"]).stderr, "")
    check("drain-timeout" in run([BIN / program, "--help"]).stdout, "--help is not complete")

with Pair() as pair:
    pair.start()

    # The same port, and the same data directory, once more.
    tls = pair.tls("txn")
    refused("txn_server", [f"--listen=127.0.0.1:{pair.txn_port}", f"--data-dir={pair.data}2", *tls], 1, "in use")
    check(not os.path.exists(f"{pair.data}2"), "a start that failed has made a ledger")
    refused("txn_server", ["--listen=127.0.0.1:0", f"--data-dir={pair.data}", *tls], 1, f"process {pair.txn.process.pid} holds")

    # A second writer is refused, and told by whom the ledger is held.
    second = Process("kvs_server", ["--listen=127.0.0.1:0", f"--ledger-address=127.0.0.1:{pair.txn_port}", *pair.tls("kvs")])
    check_equal(second.wait(), 4)
    check(f":{pair.kvs.process.pid}" in second.log() and "--take-over=1" in second.log(), second.log())

    # With the certificate of somebody else neither of them starts.
    listen = "--listen=127.0.0.1:0"
    refused("kvs_server", [listen, f"--ledger-address=127.0.0.1:{pair.txn_port}", *pair.tls("client")], 1, "client.crt")
    refused("kvs_server", [listen, f"--ledger-address=127.0.0.1:{pair.txn_port}", *pair.tls("txn")], 1, "txn.crt")
    refused("txn_server", [listen, f"--data-dir={pair.data}2", *pair.tls("kvs")], 1, "kvs.crt")
    check(not os.path.exists(f"{pair.data}2"), "a start that failed has made a ledger")

    # With --take-over the first one is fenced and ends with its own code.
    first = pair.kvs
    pair.kvs_port = 0
    pair.start_kvs("--take-over=1").wait_for(r"\bserving\b")
    check_equal(first.wait(), 5)
    check("fenced" in first.log(), first.log())
    pair.cli("put", "int", "after", "1")

    # SIGINT and SIGHUP drain like SIGTERM; all end with 0.
    check_equal(pair.kvs.terminate(signal.SIGINT), 0)
    check("drained" in pair.kvs.log(), pair.kvs.log())
    check_equal(pair.txn.terminate(signal.SIGHUP), 0)

    # A signal that comes twice at once, as from wrappers that pass it on, is one.
    pair.start()
    for server in (pair.kvs, pair.txn):
        server.process.send_signal(signal.SIGTERM)
        server.process.send_signal(signal.SIGTERM)
        check_equal(server.wait(), 0)

    # Alone, kvs_server waits for its ledger and says so.
    pair.start_kvs().wait_for("waiting for the ledger")
    check_equal(pair.cli("get", "int", "after", "--timeout=1s", check=False).returncode, 3)
    pair.start_txn()
    pair.kvs.wait_for(r"\bserving\b")
    check_equal(pair.cli("get", "int", "after").stdout, "1\n")

    # A second signal ends the process at once, here while a put waits for a stopped ledger.
    pair.txn.process.send_signal(signal.SIGSTOP)
    put = subprocess.Popen(
        [BIN / "kvs", f"--address=localhost:{pair.kvs_port}", *pair.client_args(), "put", "int", "late", "1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while int(json.loads(pair.cli("status", "--output=json").stdout)["waitingReplies"]) == 0:
        check(put.poll() is None, "the put did not wait for the stopped ledger")
    pair.kvs.process.send_signal(signal.SIGTERM)
    pair.kvs.wait_for("stopping")
    while pair.kvs.process.poll() is None:
        pair.kvs.process.send_signal(signal.SIGTERM)
    check_equal(pair.kvs.wait(), 8)
    pair.txn.process.send_signal(signal.SIGCONT)
    put.wait()

    # A change that the ledger has not confirmed when the drain is over is told, and so it is by the exit code.
    pair.start_kvs("--drain-timeout=1s").wait_for(r"\bserving\b")
    pair.txn.process.send_signal(signal.SIGSTOP)
    check_equal(pair.cli("put", "int", "lost", "1", "--timeout=500ms", check=False).returncode, 3)
    check_equal(pair.kvs.terminate(), 9)
    check("may be lost  first_revision=" in pair.kvs.log(), pair.kvs.log())
    pair.txn.process.send_signal(signal.SIGCONT)
    check_equal(pair.txn.terminate(), 0)

print("ok")
