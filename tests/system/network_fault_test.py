"""A network that fails between a client and kvs_server, or between that and txn_server. Nobody waits longer than what is documented,
what was acknowledged stays, nothing counts twice, and everything works again by itself afterwards.

Each case is a pair of its own, with writers at work: see writers.py for what is checked."""

import concurrent.futures
import os
import random
import shutil
import subprocess
import threading

from pair import Pair, check, check_equal, run
from proxy import Proxy
from size import LONG, seeded
from writers import await_acknowledged, check_history, check_values, file_history, start_writers

# How long a change may wait for its ledger, as --max-commit-wait sets it, and a client for any answer, as its deadline sets it.
COMMIT_WAIT_SECONDS = 2
CLIENT_WAIT_SECONDS = 2
# A busy machine makes every wait longer. Whoever waits without a bound waits for at least 5 s more.
SLACK_SECONDS = 4
AT_ONCE = 4
REPEATS = 10 if LONG else 1


def cut(proxy, chance, writers):
    proxy.cut()


def reset_in_frame(proxy, chance, writers):
    proxy.reset_after(chance.randrange(1, 3000))


def swallow(proxy, chance, writers):
    """A path that forgets about a connection: what goes over it vanishes."""
    proxy.swallow()
    await_unanswered(writers)


def overtake(proxy, chance, writers):
    """What was sent over a connection arrives after what was sent over the next one."""
    proxy.hold()
    threading.Event().wait(chance.uniform(0.05, 0.3))
    proxy.strand()
    await_acknowledged(writers, 30)
    proxy.release()


def pause(proxy, chance, writers):
    """Nothing arrives for a while, and then all of it."""
    proxy.hold()
    threading.Event().wait(chance.uniform(0.1, 1))
    proxy.release()


def slow_down(proxy, chance, writers):
    proxy.delay(chance.uniform(0.001, 0.02))
    await_acknowledged(writers, 30)
    proxy.delay(0)


def refuse(proxy, chance, writers):
    """Connections are ended as soon as they are made."""
    proxy.refuse(True)
    proxy.cut()
    await_unanswered(writers)
    proxy.refuse(False)


def await_unanswered(writers):
    """Waits until a call of every writer that is told of it was refused, or ended without a known outcome."""
    before = {writer: writer.unknown + writer.refused for writer in writers}
    told = [writer for i, writer in enumerate(writers) if i % 3 != 2]
    while any(w.unknown + w.refused == before[w] for w in told):
        for writer in writers:
            writer.check()
        threading.Event().wait(0.01)


FAULTS = [cut, reset_in_frame, swallow, overtake, pause, slow_down, refuse]


def check_outcome(pair, writers):
    for writer in writers:
        writer.stop()
    values = check_values(pair, writers)
    pair.stop()
    pair.ledger_address = None
    pair.start()
    check_equal(check_values(pair, writers), values)
    check_history(writers, file_history(pair), values)


def run_faults(chance, is_ledger, faults):
    """Faults one after the other between the servers, or between the clients and kvs_server."""
    with Pair(txn_args=["--retention=full"], kvs_args=[f"--max-commit-wait={COMMIT_WAIT_SECONDS}s"]) as pair:
        pair.start_txn()
        with Proxy(pair.txn_port) as to_ledger:
            # A name of several addresses: see ChannelSource in ledger_link.h.
            pair.ledger_address = f"localhost:{to_ledger.port}"
            pair.start_kvs().wait_for(r"\bserving\b")
            with Proxy(pair.kvs_port) as to_server:
                connect = lambda: pair.channel(to_server.port)
                bounds = {"patience": COMMIT_WAIT_SECONDS + SLACK_SECONDS}
                if not is_ledger:
                    bounds = {"patience": CLIENT_WAIT_SECONDS + SLACK_SECONDS, "deadline": CLIENT_WAIT_SECONDS}
                writers = start_writers(connect, **bounds)
                await_acknowledged(writers, 0, each=1)
                for fault in faults:
                    await_acknowledged(writers, chance.randrange(50))
                    proxy = to_ledger if is_ledger else to_server
                    fault(proxy, chance, writers)
                    if fault is swallow and not is_ledger:
                        proxy.cut()  # the client's system gives the connection up after minutes
                    await_acknowledged(writers, 0, each=2)
                if is_ledger:
                    check("lost the stream to the ledger" in pair.kvs.log(), "no fault was noticed")
                check_outcome(pair, writers)
    return writers


class Namespace:
    """A network of its own with one link to ours. A context manager."""

    def __init__(self, number):
        self.name = f"kvs-{os.getpid()}-{number}"
        self.here, self.there = f"kvs{os.getpid()}h{number}"[-15:], f"kvs{os.getpid()}t{number}"[-15:]
        subnet = f"10.{os.getpid() % 200 + 20}.{number}"
        self.our_host, self.host = f"{subnet}.1", f"{subnet}.2"

    def ip(self, *args, there=False):
        subprocess.run(["ip", *(["-n", self.name] if there else []), *args], check=True, capture_output=True)

    def __enter__(self):
        self.ip("netns", "add", self.name)
        self.ip("link", "add", self.here, "type", "veth", "peer", "name", self.there, "netns", self.name)
        self.ip("address", "add", f"{self.our_host}/24", "dev", self.here)
        self.ip("address", "add", f"{self.host}/24", "dev", self.there, there=True)
        self.ip("link", "set", self.here, "up")
        self.ip("link", "set", self.there, "up", there=True)
        return self

    def __exit__(self, kind, error, trace):
        subprocess.run(["ip", "netns", "delete", self.name], check=False)

    def divide(self, one_way):
        """Nothing comes through any more; one way, what comes from here arrives, and answers do not."""
        if one_way:
            self.ip("route", "add", "blackhole", self.our_host, there=True)
        else:
            self.ip("link", "set", self.there, "down", there=True)

    def join(self, one_way):
        if one_way:
            self.ip("route", "delete", "blackhole", self.our_host, there=True)
        else:
            self.ip("link", "set", self.there, "up", there=True)


def certify(pair, host):
    """Gives txn_server a certificate for this address too."""
    extensions = pair.certs / "extensions"
    extensions.write_text(f"subjectAltName=IP:{host},URI:spiffe://kvs/ledger/txn\nextendedKeyUsage=serverAuth,clientAuth\n")
    request = pair.certs / "request"
    run(["openssl", "req", "-new", "-key", pair.certs / "txn.key", "-subj", "/CN=txn", "-out", request])
    authority = ["-CA", pair.certs / "ca.crt", "-CAkey", pair.certs / "ca.key", "-CAcreateserial", "-days", "2"]
    signed = pair.certs / "txn.crt"
    run(["openssl", "x509", "-req", "-in", request, *authority, "-extfile", extensions, "-out", signed])


def run_partition(chance, number, one_way):
    """txn_server on another host, as far as the system is concerned, which cannot be reached for a while."""
    with Namespace(number) as namespace:
        with Pair(txn_args=["--retention=full"], kvs_args=[f"--max-commit-wait={COMMIT_WAIT_SECONDS}s"]) as pair:
            pair.txn_under = ["ip", "netns", "exec", namespace.name]
            pair.txn_host = namespace.host
            certify(pair, namespace.host)
            pair.start()
            writers = start_writers(pair.channel, patience=COMMIT_WAIT_SECONDS + SLACK_SECONDS)
            for _ in range(REPEATS):
                await_acknowledged(writers, chance.randrange(20, 200))
                namespace.divide(one_way)
                await_unanswered(writers)
                namespace.join(one_way)
                await_acknowledged(writers, 0, each=2)
            check_outcome(pair, writers)
    return writers


def may_divide():
    """Whether this process may make networks, and a line that says why if not."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        return False, "not root, or there is no ip command"
    tried = subprocess.run(["unshare", "--net", "true"], capture_output=True, text=True)
    return tried.returncode == 0, tried.stderr.strip()


def cases(chance):
    """Name, function and arguments of each."""
    for is_ledger in (True, False):
        where = "between the servers" if is_ledger else "before kvs_server"
        others = [fault for fault in FAULTS if fault is not swallow] * (2 * REPEATS)
        chance.shuffle(others)
        yield f"connections that are cut, reset, late, {where}", run_faults, (is_ledger, others)
        yield f"connections that swallow everything, {where}", run_faults, (is_ledger, [swallow] * REPEATS)
    allowed, why = may_divide()
    if allowed:
        yield "a partition", run_partition, (0, False)
        yield "a partition of one direction", run_partition, (1, True)
    else:
        print(f"skipped: a partition ({why})")


def run_case(case, seed):
    name, function, arguments = case
    try:
        writers = function(random.Random(seed), *arguments)
    except AssertionError as error:
        raise AssertionError(name) from error
    print(
        f"{name}: {sum(w.acknowledged for w in writers)} calls acknowledged, {sum(w.refused for w in writers)} refused, "
        f"{sum(w.unknown for w in writers)} unknown; the longest took {max(w.longest for w in writers):.1f} s",
        flush=True,
    )


chance = seeded()
with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
    runs = [pool.submit(run_case, case, chance.random()) for case in cases(chance)]
    for done in runs:
        done.result()
