"""Servers that are asked for more than they can do, by clients that read slowly, or nothing, or only stay connected.

Meanwhile a neighbour, a client as it should be, increments a counter and reads it over a connection of its own: each of its calls
is answered within the time that docs/errors.md gives for the longest wait. Whatever is refused says why. Both servers stay within
the data that they hold and 512 MiB, and after a kill -9 everything is there that was acknowledged to anybody."""

import json
import pathlib
import resource
import select
import signal
import subprocess
import threading
import time

from http2 import DEFAULT_WINDOW, call, connect, message, request_headers
from pair import BIN, DEADLINE_SECONDS, SANITIZERS, Pair, check, check_equal, import_generated
from size import LONG

import_generated()

import grpc  # noqa: E402
from kvs.v1 import (  # noqa: E402
    batch_pb2, int_store_pb2, int_store_pb2_grpc, set_store_pb2, set_store_pb2_grpc, string_store_pb2, string_store_pb2_grpc,
)

MIB = 1 << 20
BEYOND_DATA_MIB = 512
# --max-commit-wait, which no caller waits longer than for the ledger; and what a busy machine may take beside it.
LONGEST_WAIT_SECONDS = 5
# A sanitizer makes everything slower and larger by factors: with one it is about the mistakes that it finds.
GRACE_SECONDS = DEADLINE_SECONDS if SANITIZERS else 2
IDLE_CONNECTIONS = 10_000
CONNECTIONS_TOGETHER = 100
# For connections as well: what else a process has open.
OTHER_DESCRIPTORS = 200
REASONS = (b"PENDING_WINDOW_FULL", b"UNTAKEN_ANSWERS", b"OUTCOME_UNKNOWN", b"PENDING_WRITE")
LARGE_KEYS = 30
LARGE = 1_000_000
# More than the 64 MiB of --max-pending-bytes.
BURST = 100
# Requests whose answers wait for the ledger. It stands still until most of them have arrived, or for as long as they may wait.
WAITING_REQUESTS = 400
# While the ledger stands still; the calls that wait for it have time enough left when it goes on.
STANDSTILL_SECONDS = 1
ATTEMPTS = 5
GREEDY_CONNECTIONS = 20
CALLS_OF_CONNECTION = 1000
PIPELINES = 60
SLOW_CONNECTIONS = 20
SLOW_SECONDS = 3 if not LONG else 30
MAX_SCANS = 64
SCAN_IDLE_SECONDS = 1
LOAD_SECONDS = 3 if not LONG else 30
OVERLOAD = 4
# As many as a connection takes calls at a time.
CALLERS_CONNECTIONS = 2 if SANITIZERS else 8
CALLERS = CALLERS_CONNECTIONS * CALLS_OF_CONNECTION


class Neighbour(threading.Thread):
    """Increments a counter and reads it, one call after the other, each answered on time and not refused."""

    def __init__(self, port, key):
        super().__init__(daemon=True)
        self.key = key
        self.channel = insecure_channel(port)
        self.stub = int_store_pb2_grpc.IntStoreStub(self.channel)
        self.acknowledged = 0
        self.unknown = 0
        self.longest = 0
        self.calls = 0
        self.error = None
        self.stop = threading.Event()

    def run(self):
        try:
            while not self.stop.wait(0.01):
                if self.timed(self.stub.Increment, int_store_pb2.IntStoreIncrementRequest(key=self.key)):
                    self.acknowledged += 1
                else:
                    self.unknown += 1
                found = self.timed(self.stub.Get, int_store_pb2.IntStoreGetRequest(key=self.key))
                if found:
                    self.check_value(found.value)
        except (grpc.RpcError, AssertionError) as error:
            self.error = error
        self.channel.close()

    def end(self):
        self.stop.set()
        self.join()
        check(self.error is None, self.error)

    def timed(self, method, request):
        """The answer; None if the ledger is what it waited for too long."""
        began = time.monotonic()
        try:
            reply = method(request, timeout=LONGEST_WAIT_SECONDS + GRACE_SECONDS)
            self.calls += 1
        except grpc.RpcError as error:
            if reason_of(error) not in (b"OUTCOME_UNKNOWN", b"PENDING_WRITE"):
                raise
            reply = None
        self.longest = max(self.longest, time.monotonic() - began)
        return reply

    def check_value(self, value):
        low, high = self.acknowledged, self.acknowledged + self.unknown
        check(low <= value <= high, f"the neighbour's counter is {value}, not in {low}..{high}")

    def await_calls(self, calls=20):
        """Until so many more calls were answered."""
        goal = self.calls + calls
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.calls < goal and not self.error:
            check(time.monotonic() < deadline, f"the neighbour got {self.calls} answers, not {goal}")
            self.join(0.01)


class Watch:
    """One part of the test: what the servers used at most meanwhile, how long the neighbour waited, and that it was served."""

    def __init__(self, name, pair, neighbour):
        self.name, self.pair, self.neighbour = name, pair, neighbour

    def __enter__(self):
        self.began = time.monotonic()
        self.neighbour.longest = 0
        self.calls = self.neighbour.calls
        for process in (self.pair.kvs, self.pair.txn):
            # From now on VmHWM is the most since now.
            (proc(process) / "clear_refs").write_text("5")
        return self

    def __exit__(self, kind, error, trace):
        if kind:
            return
        self.neighbour.await_calls()
        peaks = {process.name: peak_mib(process) for process in (self.pair.kvs, self.pair.txn)}
        data = data_mib(self.pair)
        print(f"{self.name:24} {time.monotonic() - self.began:5.1f} s, data {data:4.0f} MiB, "
              + ", ".join(f"{name} {peak:4.0f} MiB" for name, peak in peaks.items())
              + f", neighbour {self.neighbour.calls - self.calls} calls, longest {self.neighbour.longest:.2f} s", flush=True)
        check(self.neighbour.error is None, f"{self.name}: the neighbour was not served: {self.neighbour.error}")
        for name, peak in peaks.items():
            check(peak < data + BEYOND_DATA_MIB or SANITIZERS, f"{self.name}: {name} took {peak:.0f} MiB, with {data:.0f} MiB of data")


def proc(process):
    return pathlib.Path("/proc") / str(process.process.pid)


def peak_mib(process):
    (line,) = [line for line in (proc(process) / "status").read_text().splitlines() if line.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024


def insecure_channel(port, *options):
    return grpc.insecure_channel(
        f"127.0.0.1:{port}",
        [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1), *options],
    )


def kvs(pair, *args):
    return subprocess.run(
        [str(BIN / "kvs"), f"--address=127.0.0.1:{pair.kvs_port}", "--plaintext", *args],
        capture_output=True, text=True, timeout=DEADLINE_SECONDS,
    )


def bench(pair, *args):
    done = kvs(pair, "bench", "put", "--keys=10000", "--warmup=300ms", f"--duration={LOAD_SECONDS}s", "--output=json", *args)
    check(done.stdout and done.returncode in (0, 1), f"kvs bench {args} did not measure all of the time:\n{done.stderr}")
    return json.loads(done.stdout)


def status_of(pair):
    return json.loads(kvs(pair, "status", "--output=json").stdout)


def data_mib(pair):
    return int(status_of(pair)["usage"]["bytes"]) / MIB


def large_value(i):
    return chr(ord("a") + i % 26) * LARGE


def reason_of(error):
    """The reason that the details of an error tell; none where there are no details."""
    details = dict(error.trailing_metadata() or ()).get("grpc-status-details-bin", b"")
    return next((reason for reason in REASONS if reason in details), None)


def refusals(futures, expected):
    """How many of the calls were refused; none of them without its reason."""
    refused = 0
    for future in futures:
        error = future.exception(timeout=DEADLINE_SECONDS)
        if error is None:
            continue
        if reason_of(error) == b"OUTCOME_UNKNOWN":
            continue
        refused += 1
        check_equal((error.code(), reason_of(error)), (grpc.StatusCode.RESOURCE_EXHAUSTED, expected))
        check(error.details().startswith("nothing was "), f"it does not say what became of the call: {error.details()}")
    return refused


def saturate(pair):
    """Four times the calls that the pair can answer, from callers that do not wait for each other. Returns how many were answered."""
    over = bench(pair, "--outstanding=256")
    acknowledged = over["operations_in_all"] - over["errors"]
    # Again where the machine had less time for the first measurement than for the second.
    for _ in range(ATTEMPTS):
        rate = over["calls_per_second"]
        over = bench(pair, f"--rate={OVERLOAD * rate:.0f}", f"--outstanding={CALLERS}", f"--connections={CALLERS_CONNECTIONS}")
        acknowledged += over["operations_in_all"] - over["errors"]
        if over["unsent"] > 0:
            break
    print(f"  {rate:.0f} calls/s are what it serves; of {OVERLOAD} times as many {over['calls_per_second']:.0f}/s, {over['errors']} "
          f"refused, {over['unsent']} not even sent")
    check(over["unsent"] > 0, "the load was less than what the server can do")
    check_equal((over["errors"], over["error"]), (0, ""))
    return acknowledged


def put_large(pair):
    """More at once than may wait for the ledger, while that stands still: some are refused. Returns which are there."""
    with insecure_channel(pair.kvs_port) as channel:
        stub = string_store_pb2_grpc.StringStoreStub(channel)
        put = lambda key, i: stub.Put.future(
            string_store_pb2.StringStorePutRequest(key=key, value=large_value(i)), timeout=DEADLINE_SECONDS)
        acknowledged, refused = set(), 0
        for _ in range(ATTEMPTS):
            pair.txn.process.send_signal(signal.SIGSTOP)
            futures = [put(f"burst:{i}", i) for i in range(BURST)]
            await_refusal(futures)
            pair.txn.process.send_signal(signal.SIGCONT)
            refused += refusals(futures, b"PENDING_WINDOW_FULL")
            acknowledged |= {i for i, future in enumerate(futures) if future.exception() is None}
            if refused:
                break
        check(acknowledged and refused, f"{len(acknowledged)} of {BURST} large puts were acknowledged, {refused} refused")
        for i in range(LARGE_KEYS):
            put(f"large:{i}", i).result()
    print(f"  {len(acknowledged)} of {BURST} were acknowledged, {refused} refused")
    return acknowledged


def await_refusal(futures):
    """Until one of the calls is refused, for no longer than the ledger may stand still."""
    deadline = time.monotonic() + STANDSTILL_SECONDS
    while time.monotonic() < deadline:
        if any(future.done() and future.exception() for future in futures):
            return
        threading.Event().wait(0.01)


def wait_with_large_requests(pair):
    """Requests that change nothing, and whose answers depend on a change that the ledger has not confirmed: small answers."""
    most = 0
    with insecure_channel(pair.kvs_port) as channel:
        stub = set_store_pb2_grpc.SetStoreStub(channel)
        absent = set_store_pb2.SetStoreRemoveRequest(key="waits", members=[f"{i:01000}" for i in range(LARGE // 1000)])
        for attempt in range(ATTEMPTS):
            pair.txn.process.send_signal(signal.SIGSTOP)
            change = set_store_pb2.SetStoreAddRequest(key="waits", members=[f"member {attempt}"])
            futures = [stub.Add.future(change, timeout=DEADLINE_SECONDS)]
            futures += [stub.Remove.future(absent, timeout=DEADLINE_SECONDS) for _ in range(WAITING_REQUESTS)]
            deadline = time.monotonic() + LONGEST_WAIT_SECONDS - 1
            while most < WAITING_REQUESTS and time.monotonic() < deadline:
                most = max(most, int(status_of(pair)["waitingReplies"]))
            pair.txn.process.send_signal(signal.SIGCONT)
            for future in futures:
                error = future.exception(timeout=DEADLINE_SECONDS)
                check(error is None or reason_of(error) in (b"OUTCOME_UNKNOWN", b"PENDING_WRITE"), str(error))
            if most > WAITING_REQUESTS * 3 / 4:
                break
    print(f"  {most} of {WAITING_REQUESTS} waited at a time")
    check(most > WAITING_REQUESTS * 3 / 4, "too few waited at a time to tell anything")


def get_large(pair):
    """More large values at once than may wait to be read, by a client that reads them as fast as it can."""
    with insecure_channel(pair.kvs_port) as channel:
        stub = string_store_pb2_grpc.StringStoreStub(channel)
        futures = [stub.Get.future(string_store_pb2.StringStoreGetRequest(key=f"large:{i % LARGE_KEYS}"), timeout=DEADLINE_SECONDS)
                   for i in range(400)]
        refused = refusals(futures, b"UNTAKEN_ANSWERS")
        served = [(i, future.result()) for i, future in enumerate(futures) if future.exception() is None]
        for i, reply in served:
            check(reply.value == large_value(i % LARGE_KEYS), f"large:{i % LARGE_KEYS} has another value")
    print(f"  {len(served)} of {len(futures)} were served, {refused} refused")
    check(len(served) >= 32, f"only {len(served)} of {len(futures)} large gets were served")


def opened(port, calls, *tls):
    client = connect(port, *tls)
    client.sendall(calls)
    return client


def string_get(key):
    return string_store_pb2.StringStoreGetRequest(key=key).SerializeToString()


def never_read_gets(pair):
    """Many large answers that are never read."""
    ask = b"".join(call(2 * i + 1, b"/kvs.v1.StringStore/Get", string_get("large:0")) for i in range(CALLS_OF_CONNECTION))
    return [opened(pair.kvs_port, ask) for _ in range(GREEDY_CONNECTIONS)]


def pipeline(port):
    """One that is asked for large answers, as often as its stream has room for requests that are not read yet."""
    get = batch_pb2.BatchOperation(string_get=string_store_pb2.StringStoreGetRequest(key="large:0"))
    batch = batch_pb2.BatchPipelineRequest(batch=batch_pb2.BatchExecuteRequest(operations=[get] * 3))
    batches = message(1, batch.SerializeToString(), is_last=False)
    return opened(port, request_headers(1, b"/kvs.v1.Batch/Pipeline") + batches * (DEFAULT_WINDOW // len(batches)))


def never_read_pipelines(pair):
    """Batches on and on, whose answers are never read."""
    return [pipeline(pair.kvs_port) for _ in range(PIPELINES)]


def never_read_scans(pair):
    """As many scans as there may be, which are never read; a scan of somebody else gets its turn."""
    clients = [opened(pair.kvs_port, call(1, b"/kvs.v1.Keys/Scan", b"")) for _ in range(MAX_SCANS)]
    # Sanitizers make what each of them may have before it counts as never read take several times as long.
    deadline = time.monotonic() + (LONGEST_WAIT_SECONDS + SCAN_IDLE_SECONDS) * (5 if SANITIZERS else 1)
    while True:
        done = kvs(pair, "export", "--prefix=large:")
        if done.returncode == 0:
            break
        check("try again later" in done.stderr, done.stderr)
        check(time.monotonic() < deadline, f"no scan had its turn: {done.stderr}")
    check_equal(done.stdout.count("large:"), LARGE_KEYS)
    return clients


def read_slowly(client):
    """A few bytes; none of a connection that was given up. gRPC has TCP do so where nothing could be sent for 20 s."""
    try:
        return client.recv(7)
    except ConnectionResetError:
        return b""


def slow_readers(pair):
    """Scans, pipelines, gets and replays that are read a few bytes at a time."""
    replay = call(1, b"/txn.v1.Ledger/Replay", b"\x0a\x010")
    gets = b"".join(call(2 * i + 1, b"/kvs.v1.StringStore/Get", string_get("large:1")) for i in range(10))
    clients = [opened(pair.txn_port, replay, pair.certs, "kvs") for _ in range(SLOW_CONNECTIONS // 4)]
    for _ in range(SLOW_CONNECTIONS // 4):
        clients += [opened(pair.kvs_port, call(1, b"/kvs.v1.Keys/Scan", b"")), opened(pair.kvs_port, gets)]
        clients.append(pipeline(pair.kvs_port))
    end = time.monotonic() + SLOW_SECONDS
    read = 0
    open_ones = list(clients)
    while time.monotonic() < end:
        readable, _, _ = select.select(open_ones, [], [], 0.1)
        for client in readable:
            part = read_slowly(client)
            read += len(part)
            if not part:
                open_ones.remove(client)
        threading.Event().wait(0.001)
    check(read > 100 * len(clients), f"the slow readers got {read} bytes in all")
    return clients


def idle_connections(pair):
    """Connections that do nothing once they are made. gRPC accepts all that wait before it does anything else, so that a
    storm of them would be another test."""
    clients = []
    while len(clients) < IDLE_CONNECTIONS:
        together = [connect(pair.kvs_port) for _ in range(CONNECTIONS_TOGETHER)]
        for client in together:
            check(client.recv(1), "a connection was closed")
        clients += together
    check(len(list((proc(pair.kvs) / "fd").iterdir())) >= IDLE_CONNECTIONS, "connections are missing")
    return clients


def raise_descriptor_limit():
    """For this process and for the servers, which inherit it."""
    needed = IDLE_CONNECTIONS + OTHER_DESCRIPTORS
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    check(hard == resource.RLIM_INFINITY or hard >= needed,
          f"this test needs {needed} open files, the hard limit is {hard}: raise it (ulimit -Hn, as root)")
    resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def check_nothing_is_lost(pair, neighbour, puts, large):
    """After a kill -9 of both servers. Each of the puts took a revision; which keys they were of nobody knows."""
    pair.kvs.kill()
    pair.txn.kill()
    pair.start()
    revision = int(status_of(pair)["ledger"]["latestRevision"])
    check(revision >= puts + neighbour.acknowledged + len(large) + LARGE_KEYS,
          f"revision {revision} is less than the {puts} puts and all else that was acknowledged")
    with insecure_channel(pair.kvs_port) as channel:
        strings = string_store_pb2_grpc.StringStoreStub(channel)
        get = lambda key: strings.Get(string_store_pb2.StringStoreGetRequest(key=key), timeout=DEADLINE_SECONDS).value
        for i in large:
            check(get(f"burst:{i}") == large_value(i), f"burst:{i} has another value")
        for i in range(LARGE_KEYS):
            check(get(f"large:{i}") == large_value(i), f"large:{i} has another value")
        ints = int_store_pb2_grpc.IntStoreStub(channel)
        found = ints.Get(int_store_pb2.IntStoreGetRequest(key=neighbour.key), timeout=DEADLINE_SECONDS)
        neighbour.check_value(found.value)


def stay(part, pair, neighbour):
    """A part whose clients stay connected while the neighbour goes on."""
    with Watch(part.__name__.replace("_", " "), pair, neighbour):
        clients = part(pair)
        neighbour.await_calls()
    for client in clients:
        client.close()


def main():
    raise_descriptor_limit()
    # Clients in plaintext, so that it takes little to be a bad one.
    with Pair(kvs_args=["--insecure", f"--scan-idle-timeout={SCAN_IDLE_SECONDS}s"]) as pair:
        pair.start()
        neighbour = Neighbour(pair.kvs_port, "neighbour")
        neighbour.start()
        with Watch("saturation", pair, neighbour):
            puts = saturate(pair)
        with Watch("large puts", pair, neighbour):
            large = put_large(pair)
        with Watch("large requests", pair, neighbour):
            wait_with_large_requests(pair)
        with Watch("large gets", pair, neighbour):
            get_large(pair)
        for part in (slow_readers, never_read_scans, never_read_pipelines, never_read_gets):
            stay(part, pair, neighbour)
        neighbour.end()
        check_nothing_is_lost(pair, neighbour, puts, large)
        # Servers that have just begun: what they took before and keep in reserve would count as well.
        neighbour = Neighbour(pair.kvs_port, "another neighbour")
        neighbour.start()
        stay(idle_connections, pair, neighbour)
        neighbour.end()
        pair.stop()
    print("ok")


main()
