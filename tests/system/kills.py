"""Servers that are killed under load: what was acknowledged is there afterwards, and nothing else is.

Each writer increments a counter of its own. After each kill a counter stands between what was acknowledged and that plus one
for each call whose outcome is unknown. A third of the writers increment several counters by one atomic batch each time, which
are equal whenever they are looked at. Another third gives each call a request_id and sends it again until it is answered: of
these no outcome is unknown."""

import shutil
import threading
import time
import uuid

from pair import DEADLINE_SECONDS, check, check_equal, import_generated
from size import seeded

generated = import_generated()

import grpc  # noqa: E402
from kvs.v1 import batch_pb2, batch_pb2_grpc, int_store_pb2, int_store_pb2_grpc  # noqa: E402

shutil.rmtree(generated)
WRITERS = 6
TWINS = 20
MIN_CALLS_BETWEEN_KILLS = 200


class Writer(threading.Thread):
    def __init__(self, pair, name):
        # A test that fails does not wait for it.
        super().__init__(daemon=True)
        self.pair = pair
        self.key = name
        self.acknowledged = 0
        self.unknown = 0
        self.calls = 0
        self.stop = threading.Event()

    def run(self):
        channel = self.pair.channel()
        while not self.stop.is_set():
            self.calls += 1
            try:
                self.increment(channel)
                self.acknowledged += 1
            except grpc.RpcError as error:
                if "nothing was changed" not in error.details():
                    self.unknown += 1
        channel.close()

    def increment(self, channel):
        stub = int_store_pb2_grpc.IntStoreStub(channel)
        stub.Increment(int_store_pb2.IntStoreIncrementRequest(key=self.key), timeout=20, wait_for_ready=True)

    def keys(self):
        """Every key whose value is that of the counter."""
        return [self.key]

    def check_twins(self, channel, found):
        pass


class BatchWriter(Writer):
    def increment(self, channel):
        batch_pb2_grpc.BatchStub(channel).Execute(self.batch("int_increment"), timeout=20, wait_for_ready=True)

    def keys(self):
        return [self.key] + [f"{self.key}-twin-{i}" for i in range(TWINS)]

    def batch(self, field):
        operations = [batch_pb2.BatchOperation(**{field: {"key": key}}) for key in self.keys()]
        return batch_pb2.BatchExecuteRequest(operations=operations, atomic=True)

    def check_twins(self, channel, found):
        if found == 0:
            return
        results = batch_pb2_grpc.BatchStub(channel).Execute(self.batch("int_get"), timeout=20).results
        check_equal([result.int_get.value for result in results], [found] * (1 + TWINS))


class RetryingWriter(Writer):
    def increment(self, channel):
        stub = int_store_pb2_grpc.IntStoreStub(channel)
        request = int_store_pb2.IntStoreIncrementRequest(key=self.key, request_id=uuid.uuid4().hex)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                reply = stub.Increment(request, timeout=20, wait_for_ready=True)
            except grpc.RpcError:
                if time.monotonic() > deadline:
                    raise
                threading.Event().wait(0.02)
            else:
                # Each takes effect after the one before it was answered, and none twice.
                check_equal(reply.value, self.acknowledged + 1)
                return


def value(stub, key):
    """The value of a counter, waiting for the ledger where that has not confirmed it yet."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            return stub.Get(int_store_pb2.IntStoreGetRequest(key=key), timeout=20).value
        except grpc.RpcError as error:
            if error.code() == grpc.StatusCode.NOT_FOUND:
                return 0
            check(error.code() == grpc.StatusCode.UNAVAILABLE and time.monotonic() < deadline, error)
            threading.Event().wait(0.05)


def values(pair, writers):
    channel = pair.channel()
    stub = int_store_pb2_grpc.IntStoreStub(channel)
    found = {writer.key: value(stub, writer.key) for writer in writers}
    for writer in writers:
        writer.check_twins(channel, found[writer.key])
    channel.close()
    return found


def kill_kvs(pair):
    pair.kvs.kill()
    return lambda: pair.start_kvs().wait_for(r"\bserving\b")


def kill_txn(pair):
    pair.txn.kill()

    def restart():
        pair.start_txn()
        pair.kvs.wait_for(r"the ledger is back")
        pair.kvs.lines.clear()

    return restart


def kill_both(pair):
    pair.txn.kill()
    pair.kvs.kill()

    def restart():
        pair.start_txn()
        pair.start_kvs().wait_for(r"\bserving\b")

    return restart


def survive(pair, kills, victims):
    """Kills one of the victims after the other, at random moments; each is a function that kills and returns how to restart."""
    chance = seeded()
    order = [victims[i % len(victims)] for i in range(kills)]
    chance.shuffle(order)
    counters = [(Writer, BatchWriter, RetryingWriter)[i % 3](pair, f"counter-{i}") for i in range(WRITERS)]
    for kill, victim in enumerate(order):
        writers = [type(w)(pair, w.key) for w in counters]
        for writer, before in zip(writers, counters):
            writer.acknowledged, writer.unknown = before.acknowledged, before.unknown
        counters = writers
        for writer in writers:
            writer.start()
        goal = MIN_CALLS_BETWEEN_KILLS + chance.randrange(400)
        while sum(w.calls for w in writers) < goal:
            writers[0].join(0.001)
        restart = victim(pair)
        for writer in writers:
            writer.stop.set()
        restart()
        for writer in writers:
            writer.join()
        for key, value in values(pair, writers).items():
            writer = next(w for w in writers if w.key == key)
            low, high = writer.acknowledged, writer.acknowledged + writer.unknown
            check(low <= value <= high, f"after {kill}, {victim.__name__}: {key} is {value}, not in {low}..{high}")
    before = values(pair, counters)
    check_equal(pair.kvs.terminate(), 0)
    check_equal(pair.txn.terminate(), 0)
    pair.start()
    check_equal(values(pair, counters), before)
    print(f"{kills} kills, {sum(w.acknowledged for w in counters)} acknowledged, {sum(w.unknown for w in counters)} unknown")
    return counters
