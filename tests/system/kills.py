"""Programs that are killed or stopped at random moments, while writers go on: see writers.py for what is checked.

A strike hits a program in one of three manners, kill -9, SIGSTOP with SIGCONT after a while, and SIGSTOP with kill -9 after a while,
and at one of three moments: under load, in a replay, and while a snapshot is made."""

import collections
import itertools
import os
import pathlib
import random
import signal
import threading
import time

from pair import DEADLINE_SECONDS, check, check_equal
from writers import await_acknowledged, check_values, start_writers

from kvs.v1 import int_store_pb2, int_store_pb2_grpc, string_store_pb2, string_store_pb2_grpc  # noqa: E402

KILL, STOP, STOP_AND_KILL = "kill", "stop", "stop and kill"
MANNERS = (KILL, STOP_AND_KILL, STOP)  # those that kill first
# Longer than either server waits for a word of the other one.
LONG_PAUSE_SECONDS = 6
# A log whose replay takes a while.
LONG_LOG_CALLS = 50
KEYS_OF_A_CALL = 10_000
# Keys whose values make a snapshot take a while.
LARGE_KEYS = 60
LARGE_BYTES = 100 * 1024


class Program:
    """What is hit. `processes(pair)` are the process ids; `restart(pair)` takes leave of what was killed and starts it again."""

    def __init__(self, name, processes, restart):
        self.name = name
        self.processes = processes
        self.restart = restart


def restart_txn(pair):
    pair.txn.wait()
    pair.start_txn()


def restart_kvs(pair):
    pair.kvs.wait()
    pair.start_kvs()


def restart_both(pair):
    restart_txn(pair)
    restart_kvs(pair)


TXN = Program("txn_server", lambda pair: [pair.txn.process.pid], restart_txn)
KVS = Program("kvs_server", lambda pair: [pair.kvs.process.pid], restart_kvs)
BOTH = Program("both servers", lambda pair: [pair.txn.process.pid, pair.kvs.process.pid], restart_both)


def send(number, processes):
    for process in processes:
        try:
            os.kill(process, number)
        except ProcessLookupError:
            pass  # a child of what was killed before it


def strike(pair, program, manner, chance):
    processes = program.processes(pair)
    if manner != KILL:
        send(signal.SIGSTOP, processes)
        threading.Event().wait(LONG_PAUSE_SECONDS if chance.randrange(20) == 0 else chance.uniform(0.01, 0.5))
    if manner == STOP:
        send(signal.SIGCONT, processes)
        return
    send(signal.SIGKILL, processes)
    program.restart(pair)


class Moments:
    """When to strike; `snapshot_under_way(pair)` tells whether one is made, and is asked up to `looks` times while it goes on."""

    def __init__(self, chance, snapshot_under_way, looks):
        self.chance = chance
        self.snapshot_under_way = snapshot_under_way
        self.looks = looks
        self.replay_seconds = 0.0

    def load(self, pair):
        pass

    def replay(self, pair):
        """Ends anywhere in a replay."""
        pair.kvs.kill()
        began = time.monotonic()
        kvs = pair.start_kvs()
        if self.replay_seconds == 0:
            kvs.wait_for(r"\bserving\b")
            self.replay_seconds = time.monotonic() - began
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(" serving" in line for line in kvs.lines):
            check(time.monotonic() < deadline, "every replay is over too soon")
            pair.kvs.kill()
            kvs = pair.start_kvs()
            threading.Event().wait(self.chance.uniform(0, self.replay_seconds / 2))

    def compaction(self, pair):
        """Ends while a snapshot is made, for which it writes."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        with pair.channel() as channel:
            stub = string_store_pb2_grpc.StringStoreStub(channel)
            put = put_large(stub, self.chance, self.chance.randrange(LARGE_KEYS))
            while not (self.snapshot_under_way(pair) and self.goes_on(pair)):
                check(time.monotonic() < deadline, "no snapshot is made")
                if put.done():
                    put = put_large(stub, self.chance, self.chance.randrange(LARGE_KEYS))

    def goes_on(self, pair):
        return all(self.snapshot_under_way(pair) for _ in range(self.chance.randrange(self.looks + 1)))


def put_large(stub, chance, key):
    """Puts a value that takes its place in every snapshot, and does not wait for it."""
    text = chance.randbytes(LARGE_BYTES // 2).hex()
    request = string_store_pb2.StringStorePutRequest(key=f"large-{key}", value=text)
    return stub.Put.future(request, timeout=DEADLINE_SECONDS, wait_for_ready=True)


def fill_for_snapshots(pair):
    with pair.channel() as channel:
        stub = string_store_pb2_grpc.StringStoreStub(channel)
        for key in range(LARGE_KEYS):
            put_large(stub, random.Random(key), key).result()


def fill_for_replays(pair, calls=LONG_LOG_CALLS):
    with pair.channel() as channel:
        stub = int_store_pb2_grpc.IntStoreStub(channel)
        for call in range(calls):
            keys = [f"filler-{call % 4}-{i}" for i in range(KEYS_OF_A_CALL)]
            request = int_store_pb2.IntStoreMultiPutRequest(keys=keys, values=range(KEYS_OF_A_CALL))
            check(not stub.MultiPut(request, timeout=DEADLINE_SECONDS, wait_for_ready=True).errors, "a key was refused")


def file_snapshot_under_way(pair):
    return any(pair.data.glob("*.snap.tmp"))


def survive(pair, strikes, moments, chance):
    """Strikes programs one after the other; each strike is a program, a manner and the name of a method of `moments`. Returns the
    writers, which have stopped, and the values of their counters, as they are after another start of both servers."""
    writers = start_writers(pair.channel)
    await_acknowledged(writers, 0, each=1)
    for number, (program, manner, moment) in enumerate(strikes):
        what = f"strike {number}: {manner} {program.name}, {moment}"
        try:
            await_acknowledged(writers, chance.randrange(20, 200))
            getattr(moments, moment)(pair)
            strike(pair, program, manner, chance)
            # An answer of each writer shows that what it had before is there.
            await_acknowledged(writers, 0, each=1)
        except AssertionError as error:
            raise AssertionError(what) from error
    for writer in writers:
        writer.stop()
    values = check_values(pair, writers)
    pair.stop()
    pair.start()
    check_equal(check_values(pair, writers), values)
    return writers, values


def choose_strikes(programs, moments, count, chance):
    """So many of all combinations, each as often as the others: of any number two thirds kill, or more."""
    combinations = list(itertools.product(programs, moments))
    in_turn = {manner: itertools.cycle(chance.sample(combinations, len(combinations))) for manner in MANNERS}
    chosen = []
    for manner in itertools.islice(itertools.cycle(MANNERS), count):
        program, moment = next(in_turn[manner])
        chosen.append((program, manner, moment))
    chance.shuffle(chosen)
    return chosen


def tell(strikes, writers):
    moments = collections.Counter(moment for _, _, moment in strikes)
    print(
        f"{len(strikes)} strikes ({', '.join(f'{count} in {moment}' for moment, count in moments.items())}), "
        f"{sum(w.acknowledged for w in writers)} calls acknowledged, {sum(w.unknown for w in writers)} unknown",
        flush=True,
    )
