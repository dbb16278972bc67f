"""Clients that increment counters, and what was acknowledged to them, which is kept outside of all servers.

Each writer has counters of its own, and makes one call after the other. Whatever happens to the servers meanwhile, an answer
has a value and a revision above all that were answered before, and a value that is not above what was acknowledged and what
may have happened. In the end the ledger has every change, in one order, with the revisions and values that were answered.

A third of the writers increment several counters by one atomic batch each time, which are equal whenever they are looked at.
Another third gives each call a request_id and sends it again until it is answered: of these no outcome is unknown."""

import json
import threading
import time
import uuid

from pair import BIN, DEADLINE_SECONDS, check, check_equal, import_generated, run

import_generated()

import grpc  # noqa: E402
from kvs.v1 import batch_pb2, batch_pb2_grpc, int_store_pb2, int_store_pb2_grpc  # noqa: E402

WRITERS = 6
TWINS = 20
CALL_SECONDS = 20


class Writer(threading.Thread):
    """`connect` returns a channel; `deadline` is that of each call in seconds; after each `burst` acknowledged calls, if that is given,
    the writer is no longer awake until that is set again. A call that takes longer than `patience` seconds fails
    the test, if that is given; without it a call waits for a server."""

    def __init__(self, connect, key, patience=None, deadline=CALL_SECONDS, burst=None):
        # A test that fails does not wait for it.
        super().__init__(daemon=True)
        self.connect = connect
        self.key = key
        self.patience = patience
        self.deadline = deadline
        self.burst = burst
        self.acknowledged = 0
        self.unknown = 0
        self.refused = 0
        self.value = 0
        self.revision = 0
        self.answers = []  # revision, key and value
        self.longest = 0.0
        self.last_error = "none"
        self.failure = None
        self.stopped = threading.Event()
        self.awake = threading.Event()
        self.awake.set()

    def run(self):
        try:
            with self.connect() as channel:
                while not self.stopped.is_set():
                    self.step(channel)
                    self.awake.wait()
        except BaseException as error:  # told to whoever waits for the writer
            self.failure = error

    def step(self, channel):
        try:
            answers = self.increment(channel)
        except grpc.RpcError as error:
            self.last_error = error.details()
            if "nothing was changed" not in error.details():
                self.unknown += 1
                self.look_again(channel)
            else:
                self.refused += 1
                threading.Event().wait(0.005)
        else:
            self.check_answer(*answers[0])
            check_equal({value for _, _, value in answers}, {self.value})
            self.answers += answers
            self.acknowledged += 1
            if self.burst and self.acknowledged % self.burst == 0 and not self.stopped.is_set():
                self.awake.clear()

    def check_answer(self, revision, _, value):
        low, high = self.value + 1, self.acknowledged + 1 + self.unknown
        check(low <= value <= high, f"{self.key}: {value} was answered, which is not in {low}..{high}")
        check(revision > self.revision, f"{self.key}: revision {revision} was answered after {self.revision}")
        self.value, self.revision = value, revision

    def call(self, method, request):
        began = time.monotonic()
        try:
            return method(request, timeout=self.deadline, wait_for_ready=self.patience is None)
        finally:
            took = time.monotonic() - began
            self.longest = max(self.longest, took)
            check(self.patience is None or took <= self.patience, f"{self.key} waited for {took:.1f} s: {request}")

    def increment(self, channel):
        """Revision, key and value of every counter that this has incremented."""
        request = int_store_pb2.IntStoreIncrementRequest(key=self.key)
        reply = self.call(int_store_pb2_grpc.IntStoreStub(channel).Increment, request)
        return [(reply.revision, self.key, reply.value)]

    def look_again(self, channel):
        """After a call whose outcome is unknown."""

    def keys(self):
        """Every key whose value is that of the counter."""
        return [self.key]

    def state(self):
        counts = f"{self.acknowledged} acknowledged, {self.refused} refused, {self.unknown} unknown"
        return f"{self.key}: {counts}, last error: {self.last_error}"

    def stop(self):
        """Once it has done what it is at."""
        self.stopped.set()
        self.awake.set()
        self.join(2 * DEADLINE_SECONDS)
        check(not self.is_alive(), f"{self.key} still waits for an answer")
        self.check()

    def check(self):
        if self.failure:
            raise AssertionError(f"the writer of {self.key}") from self.failure


class BatchWriter(Writer):
    def increment(self, channel):
        results = self.execute(channel, "int_increment")
        return [(result.revision, key, result.value) for key, result in zip(self.keys(), results)]

    def look_again(self, channel):
        try:
            values = {result.value for result in self.execute(channel, "int_get")}
        except grpc.RpcError:
            return  # not there yet, or not known to be durable
        check(len(values) == 1, f"the counters of one batch differ: {values}")

    def keys(self):
        return [self.key] + [f"{self.key}-twin-{i}" for i in range(TWINS)]

    def execute(self, channel, field):
        operations = [batch_pb2.BatchOperation(**{field: {"key": key}}) for key in self.keys()]
        request = batch_pb2.BatchExecuteRequest(operations=operations, atomic=True)
        return [getattr(r, field) for r in self.call(batch_pb2_grpc.BatchStub(channel).Execute, request).results]


class RetryingWriter(Writer):
    def increment(self, channel):
        stub = int_store_pb2_grpc.IntStoreStub(channel)
        request = int_store_pb2.IntStoreIncrementRequest(key=self.key, request_id=uuid.uuid4().hex)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                reply = self.call(stub.Increment, request)
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                threading.Event().wait(0.02)
            else:
                # Each takes effect after the one before it was answered, and none twice.
                check_equal(reply.value, self.acknowledged + 1)
                return [(reply.revision, self.key, reply.value)]


def start_writers(connect, count=WRITERS, name="counter", **arguments):
    """Writers of each kind, at work. The keys of their counters begin with `name`."""
    kinds = (Writer, BatchWriter, RetryingWriter)
    writers = [kinds[i % 3](connect, f"{name}-{i}", **arguments) for i in range(count)]
    for writer in writers:
        writer.start()
    return writers


def await_acknowledged(writers, more, each=0):
    """Waits for `more` acknowledged calls of all writers together, and for `each` of every one."""
    deadline = time.monotonic() + 2 * DEADLINE_SECONDS
    wanted = {writer: writer.acknowledged + each for writer in writers}
    total = sum(writer.acknowledged for writer in writers) + more
    while sum(w.acknowledged for w in writers) < total or any(w.acknowledged < wanted[w] for w in writers):
        for writer in writers:
            writer.check()
        check(time.monotonic() < deadline, f"too little is acknowledged: {[writer.state() for writer in writers]}")
        threading.Event().wait(0.001)


def value(stub, key):
    """The value of a counter, waiting for the ledger where that has not confirmed it yet."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return stub.Get(int_store_pb2.IntStoreGetRequest(key=key), timeout=CALL_SECONDS).value
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return 0
            check(error.code() == grpc.StatusCode.UNAVAILABLE and time.monotonic() < deadline, error)
            threading.Event().wait(0.05)


def check_values(pair, writers):
    """What the server has, by keys: neither less than was acknowledged nor more than may have happened."""
    found = {}
    with pair.channel() as channel:
        stub = int_store_pb2_grpc.IntStoreStub(channel)
        for writer in writers:
            low, high = writer.acknowledged, writer.acknowledged + writer.unknown
            found.update({key: value(stub, key) for key in writer.keys()})
            values = {found[key] for key in writer.keys()}
            check(len(values) == 1 and low <= min(values) <= high, f"{writer.key} is {values}, not in {low}..{high}")
    return found


def file_history(pair):
    """What the segments have: of counters revision, key and value."""
    changes = []
    for line in run([BIN / "kvs", "log", "dump", "--output=json", pair.data]).stdout.splitlines():
        if not line.startswith('{"revision"'):
            continue
        if '"operation":"increment"' in line:
            change = json.loads(line)
            changes.append((int(change["revision"]), change["key"], int(change["result"])))
        else:
            changes.append((int(line.split('"', 4)[3]), "", 0))
    return changes


def check_history(writers, history, values):
    """`history` is what the ledger has of changes: revision, key and value in its order; `values` are those of the counters."""
    check(history, "the ledger has no history")
    newest = {}
    changes = {}
    for expected, (revision, key, value) in enumerate(history, history[0][0]):
        check_equal(revision, expected)
        if key not in values:
            continue
        # Every value was written once, each after the one before it.
        check_equal(value, newest.get(key, 0 if history[0][0] == 1 else value - 1) + 1)
        newest[key] = value
        changes[revision] = (key, value)
    for key, value in newest.items():
        check_equal(value, values[key])
    for writer in writers:
        for revision, key, value in writer.answers:
            if revision >= history[0][0]:
                check_equal(changes.get(revision), (key, value))
