"""What is compared: the servers, what is measured of them, and the rows of the table.

Everything is named, and started or measured when a row asks for it. The rows of one stage are measured together, in turn, and
its servers are stopped before the next stage.
"""

import dataclasses
import json
import os
import time

import servers
from processes import Failure, run
from samples import Sample

MODELS = {"sync": ("sync", 1), "callback": ("callback", 1), "queue": ("queue", 1), "queue2": ("queue", 2), "raw": ("raw", 1)}
FRAME_BYTES = 65536
SETTLE_SECONDS = 30
# Durable batches are measured for so many times as long as the rest, so that snapshots of a million keys are made in that time, and
# Redis writes its log anew.
LONG = 5
SEGMENTS_BYTES = 48 << 20  # within the segments that a ledger has preallocated


@dataclasses.dataclass
class Row:
    """A comparison. `value` and `baseline` are names of measurements; of several, the one with the best median counts. The rest
    of what the baseline is made of is in `plus`, and is added to it. `field` of the samples is compared."""

    name: str
    stage: str
    what: str
    unit: str
    value: str
    baseline: list
    target: float
    field: str = "value"
    plus: list = dataclasses.field(default_factory=list)
    # How the ratio is meant: baseline over value, and that it must be at most the target.
    inverse: bool = False
    at_most: bool = False
    # Samples of which less is better, for the choice of the baseline.
    least: bool = False

    def measurements(self):
        return [self.value, *self.baseline, *self.plus]


def bare(kind):
    return [f"bare_{model}_{kind}" for model in MODELS]


ROWS = [
    Row("unary_get", "calls", "Get, 64 outstanding, against an empty gRPC server", "gets/s", "kvs_get", bare("get"), 0.92),
    Row("unary_put_durable", "calls", "durable Put, 256 outstanding, against an empty gRPC server", "puts/s",
        "kvs_put_256", bare("put_256"), 0.85),
    Row("unary_put_durable_64", "calls", "the same at 64 outstanding", "puts/s", "kvs_put_64", bare("put_64"), 0.60),
    Row("put_latency", "calls", "one caller: durable Put, p50, over an empty call and one fdatasync of 4 KiB", "us",
        "kvs_put_1", bare("get_1"), 1.8, field="p50_us", plus=["disk_sync"], at_most=True, least=True),
    Row("get_vs_etcd", "calls", "Get, 64 outstanding, against etcd's linearizable get", "gets/s", "kvs_get", ["etcd_get"], 6),
    Row("put_vs_etcd", "calls", "durable Put, 64 outstanding, against etcd", "puts/s", "kvs_put_64", ["etcd_put"], 2),
    Row("batch_put_vs_etcd", "batches", "durable puts, 100 in a call, against etcd transactions of 100", "puts/s",
        "kvs_multi_put", ["etcd_put_100"], 10),
    Row("tls_cost", "calls", "unary_get with mTLS, against plaintext", "gets/s", "kvs_get_tls", ["kvs_get"], 0.85),
    Row("batch_get_vs_redis", "batches", "gets, 100 in a call, against Redis with -P 100", "gets/s", "kvs_multi_get",
        ["redis_get"], 2.0),
    Row("stream_get_vs_redis", "batches", "gets, 100 in a message of a stream, against Redis with -P 100", "gets/s",
        "kvs_stream_get", ["redis_get"], 3.0),
    Row("batch_put_durable_vs_redis", "batches", "durable puts, 100 in a call, against Redis with appendfsync always, -P 100",
        "puts/s", "kvs_multi_put", ["redis_set"], 1.5),
    Row("mixed_batch_vs_redis", "batches", "durable reads and writes of several types, half of each, 100 in a batch, against "
        "pipelines of the same to Redis with appendfsync always", "operations/s", "kvs_mixed", ["redis_mixed"], 1.0),
    Row("replay_vs_redis", "replay", "start with a log of puts, against Redis and its AOF", "puts/s", "kvs_replay",
        ["redis_aof"], 3.0),
    Row("start_from_snapshot", "snapshot", "start with all keys in a snapshot, against Redis and its RDB", "keys/s",
        "kvs_snapshot", ["redis_rdb"], 1.5),
    Row("memory_int", "memory", "memory for an int with a key of 16 bytes, Redis over ours", "bytes/key", "kvs_memory_int",
        ["redis_memory_int"], 1.0, inverse=True),
    Row("memory_string", "memory", "memory for a string of 32 bytes with such a key, Redis over ours", "bytes/key",
        "kvs_memory_string", ["redis_memory_string"], 1.0, inverse=True),
    Row("scale_keys", "scale", "Get at many keys, against 100 thousand", "gets/s", "kvs_get_many", ["kvs_get_few"], 0.80),
    Row("scale_keys_put", "scale", "durable puts, 100 in a call, at many keys, against 100 thousand", "puts/s",
        "kvs_put_many", ["kvs_put_few"], 0.80),
    Row("postgres_write", "postgres", "durable puts into PostgreSQL, against COPY of the same rows into the same tables",
        "puts/s", "kvs_postgres", ["postgres_copy"], 0.5),
    Row("log_write", "disk", "frames of 64 KiB that the file ledger makes durable, against overwriting a preallocated file",
        "bytes/s", "ledger_write", ["disk_overwrite"], 0.8),
    Row("log_write_sustained", "disk", "the same beyond the segments that are there at the start", "bytes/s",
        "ledger_write_on", ["disk_overwrite"], 0.8),
]


class Bench:
    """The servers that run, by name, and what the measurements need."""

    def __init__(self, bin, directory, clients, start_keys, many_keys, memory_keys):
        self.bin = bin
        self.directory = directory
        self.clients = clients
        self.start_keys = start_keys
        self.many_keys = many_keys
        self.memory_keys = memory_keys
        self.running = {}
        self.count = 0

    def new_directory(self):
        self.count += 1
        path = self.directory / str(self.count)
        path.mkdir()
        return path

    def settle(self):
        """Until no server works in the background any more at what was measured before, or for a while."""
        deadline = time.monotonic() + SETTLE_SECONDS
        before = self._cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(0.1)
            now = self._cpu_seconds()
            if now - before < 0.015:
                return
            before = now
        print(f"  after {SETTLE_SECONDS} s the servers still work in the background at what was before", flush=True)

    def _cpu_seconds(self):
        processes = {process for server in self.running.values() for process in server.processes().values()}
        return sum(process.cpu_seconds() for process in processes)

    def server(self, name):
        if name not in self.running:
            self.running[name] = SERVERS[name](self)
            self.settle()
        return self.running[name]

    def stop(self):
        # The last one first: it may use those before it, and PostgreSQL waits for whoever does.
        for server in reversed(self.running.values()):
            server.stop()
        self.running = {}

    def filled_pair(self, verb="get", via="unary", keys=None, **options):
        pair = servers.Pair(self.bin, self.new_directory(), **options)
        self.clients.fill(pair, verb, f"--via={via}", keys=keys)
        return pair

    def snapshot_pair(self):
        """With a snapshot of most of its keys."""
        pair = self.filled_pair(keys=self.start_keys)
        deadline = time.monotonic() + 600
        command = [self.bin / "kvs", "log", "stat", "--output=json", pair.directory / "data"]
        while True:
            found = json.loads(run(command)[0])
            # What an idle ledger leaves is less than a quarter of its snapshot, or little.
            if int(found["sinceSnapshotBytes"]) < max(int(found["stateBytes"]) / 4, 4 << 20):
                return pair
            if time.monotonic() > deadline:
                raise Failure(f"the ledger made no snapshot of most that it has: {found}")
            time.sleep(0.2)

    def filled_redis(self, *what, fsync=None, keys=None):
        """Filled before each change is synced, as that takes long. Redis that has to start with `keys` others keeps its log as it is."""
        args = ["--auto-aof-rewrite-percentage", "0"] if keys else []
        redis = servers.Redis(self.new_directory(), "no" if fsync else None, args)
        for fill in what:
            self.clients.redis_load(redis, fill, keys=keys)
        if fsync:
            redis.ask("config", "set", "appendfsync", fsync)
        return redis

    def filled_etcd(self):
        etcd = servers.Etcd(self.new_directory())
        self.clients.fill_etcd(etcd)
        etcd.restart()
        return etcd

    def rdb_redis(self):
        redis = self.filled_redis("fill", keys=self.start_keys)
        redis.ask("save")
        return redis

    def postgres_pair(self):
        """A pair on a database of its own, and a second database with the same empty tables."""
        postgres = self.server("postgres")
        for database in ("kvs", "copy"):
            postgres.sql(f"CREATE DATABASE {database}")
        run([self.bin / "txn_server", "migrate", "--postgres-url=dbname=copy"], env={**os.environ, **postgres.variables})
        return servers.PostgresPair(self.bin, self.new_directory(), postgres, "kvs")


SERVERS = {
    **{f"bare_{name}": lambda b, of=of: servers.Bare(b.bin, *of) for name, of in MODELS.items()},
    "pair": lambda b: b.filled_pair(),
    "pair_tls": lambda b: b.filled_pair(tls=True),
    "pair_mixed": lambda b: b.filled_pair("mixed", "batch"),
    "pair_few": lambda b: b.filled_pair(keys=100_000),
    "pair_many": lambda b: b.filled_pair(keys=b.many_keys),
    "pair_replay": lambda b: b.filled_pair(keys=b.start_keys, txn_args=["--compaction-min-size=1TiB"]),
    "pair_snapshot": Bench.snapshot_pair,
    "pair_postgres": Bench.postgres_pair,
    "postgres": lambda b: servers.Postgres(b.new_directory()),
    "etcd": Bench.filled_etcd,
    "redis": lambda b: b.filled_redis("fill"),
    "redis_always": lambda b: b.filled_redis("fill", fsync="always"),
    "redis_mixed": lambda b: b.filled_redis("fill-mixed", fsync="always"),
    "redis_aof": lambda b: b.filled_redis("fill", fsync="everysec", keys=b.start_keys),
    "redis_rdb": Bench.rdb_redis,
}


def restart(bench, name):
    """How many keys a second a start takes in, from a stopped server to its first answer."""
    server = bench.server(name)
    server.stop()
    begin = time.monotonic()
    server.start()
    seconds = time.monotonic() - begin
    cpu = {name: process.cpu_seconds() / bench.start_keys * 1e6 for name, process in server.processes().items()}
    return Sample(bench.start_keys / seconds, cpu=cpu)


def memory(bench, start, fill):
    """By how much a new server grows for each key."""
    server = start()
    try:
        (process,) = server.processes().values()
        before = process.resident_bytes()
        fill(server)
        return Sample((process.resident_bytes() - before) / bench.memory_keys)
    finally:
        server.stop()


def kvs_memory(bench, type):
    return memory(
        bench, lambda: servers.Volatile(bench.bin),
        lambda server: bench.clients.fill(server, "get", f"--type={type}", keys=bench.memory_keys),
    )


def redis_memory(bench, *args):
    return memory(
        bench, lambda: servers.Redis(bench.new_directory()),
        lambda server: bench.clients.redis_load(server, "fill", *args, keys=bench.memory_keys),
    )


COPIED = {"int_keys": "id, key", "int_transactions": "*"}


def postgres_copy(bench):
    """COPY of the rows that the pair has written, in one transaction into empty tables."""
    postgres = bench.server("postgres")
    bench.server("pair_postgres")
    rows = int(postgres.sql("SELECT count(*) FROM int_transactions", "kvs"))
    for table in COPIED:
        postgres.sql(f"TRUNCATE {table}", "copy")
        postgres.sql(f"COPY {table} TO '{postgres.directory}/{table}'", "kvs")
    statements = "".join(f"COPY {table} FROM '{postgres.directory}/{table}'; " for table in COPIED)
    begin, cpu = time.monotonic(), postgres.process.cpu_seconds()
    postgres.sql(f"BEGIN; {statements}COMMIT", "copy")
    seconds, cpu = time.monotonic() - begin, postgres.process.cpu_seconds() - cpu
    return Sample(rows / seconds, cpu={"postgres": cpu / rows * 1e6})


def etcd_put(bench):
    etcd = bench.server("etcd")
    sample = bench.clients.etcd(etcd, "put")
    etcd.restart()
    return sample


def kvs(server, *args, keys=None, times=1):
    return lambda b: b.clients.kvs(b.server(server), *args, keys=keys(b) if keys else None, times=times)


def disk(what, frame_bytes, *args):
    return lambda b: b.clients.disk(b.new_directory(), what, frame_bytes, *args)


BATCH = ["--batch=100", "--outstanding=16"]

MEASUREMENTS = {
    **{f"bare_{name}_get": kvs(f"bare_{name}", "get") for name in MODELS},
    **{f"bare_{name}_get_1": kvs(f"bare_{name}", "get", "--connections=1", "--outstanding=1") for name in MODELS},
    **{f"bare_{name}_put_64": kvs(f"bare_{name}", "put") for name in MODELS},
    **{f"bare_{name}_put_256": kvs(f"bare_{name}", "put", "--outstanding=256") for name in MODELS},
    "kvs_get": kvs("pair", "get"),
    "kvs_get_tls": kvs("pair_tls", "get"),
    "kvs_put_256": kvs("pair", "put", "--outstanding=256"),
    "kvs_put_64": kvs("pair", "put"),
    "kvs_put_1": kvs("pair", "put", "--connections=1", "--outstanding=1"),
    "disk_sync": disk("overwrite", 4096),
    "etcd_get": lambda b: b.clients.etcd(b.server("etcd"), "get"),
    "etcd_put": etcd_put,
    "etcd_put_100": lambda b: b.clients.etcd(b.server("etcd"), "put", *BATCH, times=LONG),
    "kvs_multi_get": kvs("pair", "get", *BATCH),
    "kvs_stream_get": kvs("pair", "get", "--via=pipeline", *BATCH),
    "kvs_multi_put": kvs("pair", "put", *BATCH, times=LONG),
    "kvs_mixed": kvs("pair_mixed", "mixed", "--via=batch", *BATCH, times=LONG),
    "redis_get": lambda b: b.clients.redis_benchmark(b.server("redis"), "get"),
    "redis_set": lambda b: b.clients.redis_benchmark(b.server("redis_always"), "set", times=LONG),
    "redis_mixed": lambda b: b.clients.redis_load(b.server("redis_mixed"), "mixed", times=LONG),
    "kvs_replay": lambda b: restart(b, "pair_replay"),
    "redis_aof": lambda b: restart(b, "redis_aof"),
    "kvs_snapshot": lambda b: restart(b, "pair_snapshot"),
    "redis_rdb": lambda b: restart(b, "redis_rdb"),
    "kvs_memory_int": lambda b: kvs_memory(b, "int"),
    "kvs_memory_string": lambda b: kvs_memory(b, "string"),
    "redis_memory_int": lambda b: redis_memory(b, "--value=4100041"),
    "redis_memory_string": lambda b: redis_memory(b),
    "kvs_get_few": kvs("pair_few", "get", keys=lambda b: 100_000),
    "kvs_get_many": kvs("pair_many", "get", keys=lambda b: b.many_keys),
    "kvs_put_few": kvs("pair_few", "put", *BATCH, keys=lambda b: 100_000),
    "kvs_put_many": kvs("pair_many", "put", *BATCH, keys=lambda b: b.many_keys),
    "kvs_postgres": kvs("pair_postgres", "put", "--type=int", "--batch=100", "--outstanding=64"),
    "postgres_copy": postgres_copy,
    "ledger_write": disk("ledger", FRAME_BYTES, f"--max-bytes={SEGMENTS_BYTES}"),
    "ledger_write_on": disk("ledger", FRAME_BYTES),
    "disk_overwrite": disk("overwrite", FRAME_BYTES),
}

# The peer that a measurement needs.
PEER_OF = {"redis": "redis", "etcd": "etcd", "postgres": "postgres", "kvs_postgres": "postgres"}


def peer_of(measurement):
    return next((peer for prefix, peer in PEER_OF.items() if measurement.startswith(prefix)), None)
