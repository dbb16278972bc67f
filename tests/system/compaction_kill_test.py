"""kill -9 of txn_server, now and then of one that was stopped before, while it makes a snapshot, under load on all types: afterwards
the state that kvs_server holds is the state that it gets when it starts again, from the snapshot that is there and what follows it.
Where all segments are kept, it is also what they alone make."""

import random
import signal
import threading

from pair import BIN, Pair, check, check_equal, import_generated, run
from size import LONG, seeded

import_generated()

import grpc  # noqa: E402
from google.protobuf import duration_pb2  # noqa: E402
from kvs.v1 import (  # noqa: E402
    float_store_pb2,
    float_store_pb2_grpc,
    int_store_pb2,
    int_store_pb2_grpc,
    keys_pb2,
    keys_pb2_grpc,
    map_store_pb2,
    map_store_pb2_grpc,
    set_store_pb2,
    set_store_pb2_grpc,
    string_store_pb2,
    string_store_pb2_grpc,
    uint_store_pb2,
    uint_store_pb2_grpc,
)

KILLS = 100 if LONG else 3
WRITERS = 3
STRINGS = 60
STRING_BYTES = 128 * 1024

chance = seeded()


class Stubs:
    """The stores in the order of kvs.v1.ValueType, and the requests of a random command on each."""

    def __init__(self, channel):
        self.keys = keys_pb2_grpc.KeysStub(channel)
        self.stores = {
            1: (int_store_pb2_grpc.IntStoreStub(channel), int_store_pb2, "IntStore"),
            2: (uint_store_pb2_grpc.UintStoreStub(channel), uint_store_pb2, "UintStore"),
            3: (float_store_pb2_grpc.FloatStoreStub(channel), float_store_pb2, "FloatStore"),
            4: (string_store_pb2_grpc.StringStoreStub(channel), string_store_pb2, "StringStore"),
            5: (set_store_pb2_grpc.SetStoreStub(channel), set_store_pb2, "SetStore"),
            6: (map_store_pb2_grpc.MapStoreStub(channel), map_store_pb2, "MapStore"),
        }

    def call(self, kind, method, key, timeout=20, **operands):
        stub, messages, service = self.stores[kind]
        request = getattr(messages, f"{service}{method}Request")(key=key, **operands)
        return getattr(stub, method)(request, timeout=timeout, wait_for_ready=True)

    def change(self, random_):
        kind = random_.randrange(1, 7)
        key = f"key-{random_.randrange(STRINGS if kind == 4 else 20)}"
        number = random_.randrange(1000)
        # Long enough for the end of this test.
        ttl = duration_pb2.Duration(seconds=100_000 + number)
        if random_.randrange(8) == 0:
            return self.call(kind, "Delete", key)
        if random_.randrange(8) == 0:
            return self.keys.Expire(keys_pb2.KeysExpireRequest(key=key, ttl=ttl), timeout=20, wait_for_ready=True)
        if random_.randrange(8) == 0:
            return self.keys.Persist(keys_pb2.KeysPersistRequest(key=key), timeout=20, wait_for_ready=True)
        if kind == 4:
            lifetime = {"ttl": ttl} if number % 2 else {}
            return self.call(kind, "Put", key, value=random_.randbytes(STRING_BYTES // 2).hex(), **lifetime)
        if kind == 5:
            return self.call(kind, random_.choice(["Add", "Remove"]), key, members=[f"member-{number % 50}"])
        if kind == 6 and random_.randrange(3) == 0:
            return self.call(kind, "RemoveFields", key, names=[f"name-{number % 50}"])
        if kind == 6:
            return self.call(kind, "PutFields", key, fields={f"name-{number % 50}": str(number)})
        return self.call(kind, "Increment", key, delta=number)

    def fill(self):
        """Every string, expiring, so that how many keys there are, and expire, is not left to the chance of the first calls."""
        for index in range(STRINGS):
            ttl = duration_pb2.Duration(seconds=100_000 + index)
            self.call(4, "Put", f"key-{index}", value=chance.randbytes(STRING_BYTES // 2).hex(), ttl=ttl)

    def expiry(self, kind, key):
        answer = self.keys.GetExpiry(keys_pb2.KeysGetExpiryRequest(key=key, types=[kind]), timeout=20)
        return answer.keys[0].expires_at.ToNanoseconds()

    def dump(self):
        """Every key: type, name, revision, when it expires, and value."""
        listed = [k for chunk in self.keys.List(keys_pb2.KeysListRequest(), timeout=60) for k in chunk.keys]
        return [
            (k.type, k.key, k.revision, self.expiry(k.type, k.key), str(self.call(k.type, "Get", k.key)).split("latest_revision")[0])
            for k in listed
        ]


class Writer(threading.Thread):
    def __init__(self, pair):
        super().__init__()
        self.pair = pair
        self.random = random.Random(chance.random())
        self.calls = 0
        self.stop = threading.Event()

    def run(self):
        channel = self.pair.channel()
        stubs = Stubs(channel)
        while not self.stop.is_set():
            try:
                stubs.change(self.random)
            except grpc.RpcError:
                pass  # whatever became of it, kvs_server knows in the end
            self.calls += 1
        channel.close()


def half_made(pair):
    """The bytes of the snapshot that is being made; None if there is none."""
    for path in pair.data.glob("*.snap.tmp"):
        try:
            return path.stat().st_size
        except FileNotFoundError:
            pass
    return None


def dump(pair):
    channel = pair.channel()
    state = Stubs(channel).dump()
    channel.close()
    return state


def check_replay(pair, live, what):
    pair.kvs.kill()
    pair.start_kvs().wait_for(r"\bserving\b")
    replayed = dump(pair)
    check(replayed == live, f"{what}: " + str([(a[:4], b[:4]) for a, b in zip(live, replayed) if a != b][:3]))


def kill_in_compaction(pair):
    """Whether the kill met a snapshot that was being made, and the state that was there before it."""
    writers = [Writer(pair) for _ in range(WRITERS)]
    for writer in writers:
        writer.start()
    while sum(w.calls for w in writers) < 150:
        writers[0].join(0.01)
    # At any place of the next one.
    size = chance.randrange(3 << 20)
    while half_made(pair) is None:
        writers[0].join(0.001)
    while (half_made(pair) or size) < size:
        pass
    if chance.randrange(2) == 0:
        pair.txn.process.send_signal(signal.SIGSTOP)
        threading.Event().wait(chance.uniform(0.01, 0.5))
    pair.txn.kill()
    interrupted = half_made(pair) is not None
    for writer in writers:
        writer.stop.set()
    pair.start_txn()
    pair.kvs.wait_for(r"the ledger is back")
    for writer in writers:
        writer.join()
    return interrupted, dump(pair)


def run_kills(retention):
    # The smallest settings, so that there is always a snapshot under way.
    settings = [f"--retention={retention}", "--compaction-min-size=1MiB", "--compaction-percent=10", "--ballast-size=1MiB"]
    with Pair(txn_args=settings) as pair:
        pair.start()
        channel = pair.channel()
        Stubs(channel).fill()
        channel.close()
        interrupted = 0
        for kill in range(KILLS):
            met, live = kill_in_compaction(pair)
            interrupted += met
            check(len(live) > 60, f"there are only {len(live)} keys")
            check(sum(key[3] > 0 for key in live) > 10, "too few keys expire")
            check_replay(pair, live, f"{retention}, after kill {kill}")
        check_equal(pair.kvs.terminate(), 0)
        check_equal(pair.txn.terminate(), 0)
        verified = run([BIN / "kvs", "log", "verify", pair.data])
        check("snapshots  2" in verified.stdout, verified.stdout)
        check("verdict    good" in verified.stdout, verified.stdout)
        if retention == "full":
            for snapshot in pair.data.glob("*.snap"):
                snapshot.unlink()
            pair.txn_args = ["--retention=full", "--compaction-min-size=1TiB"]
            pair.start()
            check_replay(pair, live, "from the segments alone")
            check(not list(pair.data.glob("*.snap")), "there is a snapshot again")
            pair.stop()
        return interrupted


met = {retention: run_kills(retention) for retention in ("on-delete", "full")}
check(sum(met.values()) > 0, "no kill met a snapshot that was being made")
print(f"{KILLS} kills with each retention; kills while a snapshot was being made: {met}")
