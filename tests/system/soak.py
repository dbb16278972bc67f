"""A mixed load on both servers for as long as SOAK_MINUTES says, an hour by default: memory and file descriptors stay flat.

Reads and writes of all kinds, pipelines, keys that expire, requests with ids, scans, half of them left in the middle, and clients
that come and go, while the ledger makes snapshots. Every few seconds it notes what each server uses; in the end all clients go,
and it prints a table and fails where something grew:

- memory: the slope of a least-squares line through the second half, over the length of that half, is under 8 MiB;
- disk: the most that the ledger took in the second half is under that of the first half and two segments;
- file descriptors: without clients there are as many as there were before the load; of threads, of which gRPC makes some as it needs
  them, at most MORE_THREADS more.

SOAK_RATE is the number of single calls a second, 500 by default: low enough that the machine can do other things meanwhile."""

import os
import pathlib
import threading
import time
import uuid

from pair import DEADLINE_SECONDS, SANITIZERS, Pair, check, import_generated

import_generated()

from kvs.v1 import keys_pb2, keys_pb2_grpc, string_store_pb2, string_store_pb2_grpc  # noqa: E402

MIB = 1 << 20
MINUTES = float(os.environ.get("SOAK_MINUTES", "60"))
RATE = int(os.environ.get("SOAK_RATE", "500"))
# In a short run one snapshot more or less of txn_server counts.
FLAT_MIB, FLAT_MIB_OF_SHORT_RUN, LONG_SECONDS = 8, 32, 600
MORE_THREADS = 4
SEGMENT_MIB = 32
KEYS = 5000
BURST_SECONDS = 10
SAMPLES = 400
LEAST_SAMPLE_SECONDS = 0.5
ROWS = 30
# So that what is bounded by count reaches its bound soon: how many requests are remembered, and how much is logged before
# the next snapshot.
KVS_ARGS = ["--request-window-count=1000"]
TXN_ARGS = ["--compaction-min-size=1MiB"]


class Load:
    """Threads that put load on the pair until they are stopped; `error` is the first failure of one."""

    def __init__(self, pair, seconds):
        self.pair = pair
        self.stop = threading.Event()
        self.error = None
        burst = min(BURST_SECONDS, seconds / 3)
        single = ["mixed", f"--rate={RATE}", "--connections=4"]
        pipelined = ["mixed", "--via=pipeline", "--batch=50", f"--rate={max(1, RATE // 50)}", "--connections=2"]
        jobs = [lambda: self.bench(burst, single), lambda: self.bench(burst, pipelined), self.expiring, self.scan]
        self.threads = [threading.Thread(target=self.repeat, args=(job,), daemon=True) for job in jobs]
        self.rounds = 0

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, error, trace):
        self.stop.set()
        for thread in self.threads:
            thread.join(DEADLINE_SECONDS)

    def repeat(self, job):
        while not self.stop.is_set() and not self.error:
            try:
                job()
                self.rounds += 1
            except Exception as error:  # of any kind: it is told by the main thread
                self.error = error

    def bench(self, seconds, args):
        """Each is a process of its own, with new connections, for which a busy machine has time."""
        self.pair.cli("bench", *args, f"--keys={KEYS}", "--value-size=100", "--warmup=0s", f"--duration={seconds:.1f}s",
                      f"--timeout={DEADLINE_SECONDS}s")

    def expiring(self):
        """Keys that go by themselves, put by requests with an id, over a connection of their own."""
        with self.pair.channel() as channel:
            stub = string_store_pb2_grpc.StringStoreStub(channel)
            for i in range(100):
                request = string_store_pb2.StringStorePutRequest(key=f"expiring:{i}", value="x" * 500, request_id=uuid.uuid4().hex)
                request.ttl.FromMilliseconds(200)
                stub.Put(request, timeout=DEADLINE_SECONDS)
                if self.stop.wait(0.01):
                    return

    def scan(self):
        """One to the end, and one that is left after its first message."""
        with self.pair.channel() as channel:
            stub = keys_pb2_grpc.KeysStub(channel)
            request = keys_pb2.KeysScanRequest()
            found = sum(len(message.entries) for message in stub.Scan(request, timeout=DEADLINE_SECONDS))
            check(found >= KEYS, f"a scan found {found} keys, of at least {KEYS}")
            left = stub.Scan(request, timeout=DEADLINE_SECONDS)
            next(left)
            left.cancel()
        self.stop.wait(0.5)


def used(process):
    """What a process uses now: MiB of memory, file descriptors, threads."""
    proc = pathlib.Path("/proc") / str(process.process.pid)
    status = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    return int(status["VmRSS"].split()[0]) / 1024, len(list((proc / "fd").iterdir())), int(status["Threads"])


def disk_mib(directory):
    total = 0
    for path in directory.iterdir():
        try:
            total += path.stat().st_blocks * 512
        except FileNotFoundError:
            pass  # the ledger has removed it
    return total / MIB


def sample(pair, began):
    return (time.monotonic() - began, *used(pair.kvs), *used(pair.txn), disk_mib(pair.data))


def growth(times, values):
    """How much a least-squares line through the values rises from the first time to the last."""
    n = len(times)
    mean_time, mean_value = sum(times) / n, sum(values) / n
    spread = sum((t - mean_time) ** 2 for t in times)
    slope = sum((t - mean_time) * (v - mean_value) for t, v in zip(times, values)) / spread
    return slope * (times[-1] - times[0])


def await_idle(pair, before):
    """Waits until both servers use as many file descriptors as `before`, and not many more threads."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        now = [used(process)[1:] for process in (pair.kvs, pair.txn)]
        if all(fds == fds_before and threads <= threads_before + MORE_THREADS
               for (fds, threads), (fds_before, threads_before) in zip(now, before)):
            return now
        check(time.monotonic() < deadline, f"file descriptors and threads of kvs_server and txn_server: {before} before, {now} after")
        threading.Event().wait(0.1)


def print_table(samples):
    print(f"{'seconds':>8} | kvs_server: MiB  fds  threads | txn_server: MiB  fds  threads | ledger MiB")
    step = max(1, len(samples) // ROWS)
    for seconds, *values in samples[::step]:
        print("{:8.0f} | {:15.1f} {:4} {:8} | {:15.1f} {:4} {:8} | {:10.1f}".format(seconds, *values))


def check_flat(samples):
    flat = FLAT_MIB if samples[-1][0] > LONG_SECONDS else FLAT_MIB_OF_SHORT_RUN
    half = samples[len(samples) // 2 :]
    times = [s[0] for s in half]
    for name, column in (("kvs_server", 1), ("txn_server", 4)):
        grown = growth(times, [s[column] for s in half])
        print(f"{name}: memory grew by {grown:.2f} MiB in the second half, {times[-1] - times[0]:.0f} s")
        # A sanitizer keeps what was freed.
        check(grown < flat or SANITIZERS, f"the memory of {name} is not flat: {grown:.1f} MiB more in {times[-1] - times[0]:.0f} s")
    first, second = max(s[7] for s in samples[: len(samples) // 2]), max(s[7] for s in half)
    print(f"ledger: at most {first:.1f} MiB in the first half, {second:.1f} in the second")
    check(second <= first + 2 * SEGMENT_MIB, f"the ledger grew from {first:.1f} to {second:.1f} MiB")


def soak(minutes):
    seconds = minutes * 60
    with Pair(TXN_ARGS, KVS_ARGS) as pair:
        pair.start()
        # Clients make what is made once, before anything is counted.
        pair.cli("bench", "put", "--fill", f"--keys={KEYS}", "--value-size=100", "--duration=1s", "--warmup=0s")
        pair.cli("bench", "mixed", "--via=pipeline", "--batch=50", "--fill", f"--keys={KEYS}", "--value-size=100",
                 "--duration=1s", "--warmup=0s")
        before = settled(pair)
        samples = []
        began = time.monotonic()
        with Load(pair, seconds) as load:
            while time.monotonic() - began < seconds:
                samples.append(sample(pair, began))
                load.stop.wait(max(LEAST_SAMPLE_SECONDS, seconds / SAMPLES))
                if load.error:
                    raise load.error
        print_table(samples)
        check(load.rounds >= len(load.threads), f"only {load.rounds} rounds of load were finished")
        check_flat(samples)
        now = await_idle(pair, before)
        snapshots = sum("made a snapshot" in line for line in pair.txn.lines)
        check(snapshots > 0, "the ledger made no snapshot")
        print(f"{load.rounds} rounds of load and {snapshots} snapshots in {seconds:.0f} s; file descriptors and threads {before} before, {now} after")
        pair.stop()


def settled(pair):
    """File descriptors and threads of both servers, once no client is connected."""
    previous = None
    while True:
        now = [used(process)[1:] for process in (pair.kvs, pair.txn)]
        if now == previous:
            return now
        previous = now
        threading.Event().wait(1)


if __name__ == "__main__":
    soak(MINUTES)
