"""Every system call by which txn_server writes, syncs, names, cuts and removes the files of its ledger fails, writes a part only, or is
where the process is killed, while it works for a kvs_server and its clients. What was acknowledged is there after a start without faults, and nothing
else is; and after a sync that failed nothing counts as durable before it was written and synced again.

A first run finds out which calls there are: those of the start on an empty directory, of group commits, of the next segment, of a
snapshot, of a clean stop; and those of a start on what a killed process left, with the removal of old segments and snapshots.
A failure prints KVS_CASE=…; with that in the environment this case runs alone."""

import concurrent.futures
import json
import os
import pathlib
import random
import re
import resource
import shutil
import signal
import tempfile
import threading
import time

import strace
from pair import BIN, DEADLINE_SECONDS, Pair, check, check_equal, run
from size import LONG, seeded
from writers import await_acknowledged, check_history, check_values, file_history, start_writers

from kvs.v1 import string_store_pb2, string_store_pb2_grpc  # noqa: E402

# As strace writes them, and those that short_writes.cc has.
EFFECTS = ("error=EIO", "error=ENOSPC", "error=EINTR", "signal=SIGKILL", "short", "short,SIGKILL")
SAMPLE = 24
SHORT_WRITES = 20 if LONG else 2
AT_ONCE = 4
PATIENCE_SECONDS = 3
SETTINGS = ["--compaction-min-size=64KiB", "--compaction-percent=10", "--ballast-size=1MiB"]
# LeakSanitizer cannot look at a process that strace looks at; AddressSanitizer wants to be loaded before everything else.
UNDER_STRACE = {"ASAN_OPTIONS": "detect_leaks=0:verify_asan_link_order=0"}
# How many a writer makes before and after it rests.
CALLS = 6
# More than --compaction-min-size, so that the log goes on to the next segment and makes a snapshot when nothing more comes.
VALUES, VALUE_BYTES = 5, 20_000
# The state of a segment, in its header.
IN_USE = b"\x02\0\0\0"
# How txn_server may end by itself: it stopped as it was told, could not start, or does not know what is durable.
ENDS = (0, 1, 7, -signal.SIGKILL)


class Life:
    """One run of txn_server, from its start to its end, with a kvs_server and its clients."""

    def __init__(self, pair, counters="counter", patience=DEADLINE_SECONDS):
        self.pair = pair
        self.patience = patience  # for what a fault may have prevented
        self.counters = counters
        self.writers = []

    def ended(self):
        return self.pair.txn.process.poll() is not None

    def reaches(self, state, seconds=DEADLINE_SECONDS):
        """Waits until something is so, or txn_server has ended. Whether it is so."""
        deadline = time.monotonic() + seconds
        while not state():
            if self.ended() or (seconds < DEADLINE_SECONDS and time.monotonic() > deadline):
                return False
            check(time.monotonic() < deadline, "nothing more happens")
            for writer in self.writers:
                writer.check()
            threading.Event().wait(0.005)
        return True

    def run(self, under):
        """Whether all of it happened: the start, groups, the next segment, a snapshot, more groups and a clean stop."""
        segment, snapshot = self.newest()
        if not self.starts(under):
            return False
        self.start_clients()
        if not self.reaches(self.all_rest) or not self.puts_values():
            return False
        # Only when it has nothing to do it leaves a segment.
        goal = (segment + (3 if segment == 0 else 2), snapshot + 1)
        complete = self.reaches(lambda: all(now >= then for now, then in zip(self.newest(), goal)), self.patience)
        self.wake()
        return self.reaches(self.all_rest) and complete and self.pair.txn.terminate() == 0

    def all_rest(self):
        return not any(writer.awake.is_set() for writer in self.writers)

    def wake(self):
        for writer in self.writers:
            writer.awake.set()

    def starts(self, under=()):
        pair = self.pair
        pair.begin_txn(under)
        return self.reaches(lambda: any(" listening " in line for line in pair.txn.lines)) and pair.txn.port() > 0

    def start_clients(self):
        self.pair.txn_port = self.pair.txn.port()
        self.pair.start_kvs()
        self.writers = start_writers(self.pair.channel, count=3, name=self.counters, burst=CALLS)

    def puts_values(self):
        with self.pair.channel() as channel:
            return all(self.reaches(put_value(channel, i).done) for i in range(VALUES))

    def newest(self):
        """The newest segment and snapshot, by their numbers."""
        numbers = lambda suffix: [0, *(int(path.stem) for path in self.pair.data.glob(f"*.{suffix}"))]
        return max(numbers("log")), max(numbers("snap"))

    def end(self):
        """Ends what did not end by itself, and returns how it did."""
        if not self.ended():
            self.pair.txn.terminate()
        return self.pair.txn.wait()


def put_value(channel, number):
    """Begins to put a value of VALUE_BYTES."""
    value = random.Random(number).randbytes(VALUE_BYTES // 2).hex()
    request = string_store_pb2.StringStorePutRequest(key=f"large-{number}", value=value)
    put = string_store_pb2_grpc.StringStoreStub(channel).Put
    return put.future(request, timeout=DEADLINE_SECONDS, wait_for_ready=True)


def read_bytes(path, begin, end):
    with open(path, "rb") as file:
        file.seek(begin)
        return file.read(end - begin)


def last_write(pair):
    """File and offset of what was written last: the last frame of the newest segment in use, or its header."""
    dump = run([BIN / "kvs", "log", "dump", "--output=json", pair.data]).stdout.splitlines()
    frames = [json.loads(line) for line in dump if line.startswith('{"frame"')]
    in_use = [path for path in pair.data.glob("*.log") if read_bytes(path, 16, 20) == IN_USE]
    newest = max(in_use)
    offsets = [int(frame["offset"]) for frame in frames if frame["file"] == str(newest)]
    return newest.name, max(offsets, default=0)


def check_synced_again(life, trace):
    """A start that cannot sync the end of the log does not serve; the one after it does, once it has written and synced that again."""
    name, offset = last_write(life.pair)
    under = strace.fault(trace, life.pair.data, strace.Place("fdatasync", name, 1), "error=EIO")
    check(not life.starts(under), "a start whose sync failed serves")
    check_equal(life.end(), 1)
    check(life.starts(strace.command(trace, life.pair.data, [name], ["pwritev", "fdatasync"])), "no start")
    calls = [(call, rest) for _, call, _, rest in strace.calls_in(trace.read_text(), life.pair.data)]
    written = [i for i, (call, rest) in enumerate(calls) if call == "pwritev" and f", {offset}) = " in rest]
    check(written, f"what was written last, at {offset}, was not written again: {calls}")
    check(any(call == "fdatasync" and rest.endswith("= 0") for call, rest in calls[written[0]:]), f"it was not synced: {calls}")


def check_survival(life, what, failed_sync, trace):
    """Starts without faults, and compares with what was acknowledged."""
    pair = life.pair
    if failed_sync:
        check_synced_again(life, trace)
    else:
        check(life.starts(), f"no start after {what}:\n{pair.txn.log()}")
    if not life.writers:
        life.start_clients()
    life.wake()
    await_acknowledged(life.writers, 0, each=1)
    for writer in life.writers:
        writer.stop()
    values = check_values(pair, life.writers)
    pair.kvs.kill()
    pair.start_kvs().wait_for(r"\bserving\b")
    check_equal(check_values(pair, life.writers), values)
    pair.stop()
    check_history(life.writers, file_history(pair), values)
    check("verdict    good" in run([BIN / "kvs", "log", "verify", pair.data]).stdout, "the log is damaged")


def check_synced(trace, directory):
    """What was written is synced: the files before they get their names and at the end, the names as well. That this is before an
    answer other tests see, which have no system calls."""
    unsynced, synced = set(), set()
    for _, call, name, _ in strace.calls_in(trace, directory):
        if call in ("pwritev", "pwrite64", "write"):
            unsynced |= {name} - {"LOCK"}  # which says who uses the ledger, for as long as it is used
        elif call in ("fdatasync", "fsync"):
            unsynced.discard(name)
            synced.add(name)
        elif call in ("rename", "unlink"):
            check(name not in unsynced or call == "unlink", f"{name} was renamed and not synced before")
            unsynced.discard(name)
            unsynced.add("")
    check(not unsynced, f"never synced at the end: {unsynced} (the directory is '')")
    kinds = {pathlib.Path(name).suffix or name for name in synced}
    check({"", ".log", ".tmp"} <= kinds, f"of the directory, logs and new files only these were ever synced: {synced}")


def record(past):
    """Every place of a life that begins with the directory `past`, or with an empty one; and what a killed process leaves then."""
    with Pair(txn_args=SETTINGS, txn_variables=UNDER_STRACE) as pair:
        if past:
            shutil.copytree(past, pair.data)
        life = Life(pair)
        trace = pair.directory / "trace"
        complete = life.run(strace.command(trace, pair.data, strace.file_names(), strace.CALLS))
        check(complete, "a run without faults did not do all that it should")
        check_synced(trace.read_text(), pair.data)
        places = strace.places_in(trace.read_text(), pair.data)
        check_survival(life, "no fault", False, trace)
        return places


def make_past(directory):
    """A ledger with two snapshots, as a killed process leaves it."""
    with Pair(txn_args=SETTINGS, txn_variables=UNDER_STRACE) as pair:
        for number in range(2):
            life = Life(pair, f"past-{number}")
            check(life.run(()), "a run without faults did not do all that it should")
            for writer in life.writers:
                writer.stopped.set()
            pair.kvs.kill()
        check(life.starts(), "no start")
        pair.start_kvs().wait_for(r"\bserving\b")
        pair.cli("incr", "int", "past")
        pair.txn.kill()
        shutil.copytree(pair.data, directory)


def is_short(effect):
    return effect.startswith("short")


def short_write(pair, place, effect, mark):
    """Runs a program so that this write ends after a part, as short_writes.cc makes it."""
    variables = {"LD_PRELOAD": BIN / "short_writes.so", "KVS_SHORT_WRITE_MARK": mark}
    variables |= {"KVS_SHORT_WRITE_PATH": pair.data / place.name, "KVS_SHORT_WRITE_NUMBER": place.number}
    if effect.endswith("SIGKILL"):
        variables["KVS_SHORT_WRITE_KILL"] = "yes"
    return ["env", *(f"{name}={value}" for name, value in variables.items())]


def run_fault(past, place, effect):
    """Whether the fault was met."""
    with Pair(txn_args=SETTINGS, txn_variables=UNDER_STRACE) as pair:
        if past:
            shutil.copytree(past, pair.data)
        life = Life(pair, patience=PATIENCE_SECONDS)
        trace = pair.directory / "trace"
        mark = pair.directory / "short"
        try:
            life.run(short_write(pair, place, effect, mark) if is_short(effect) else strace.fault(trace, pair.data, place, effect))
            how = life.end()
            check(how in ENDS, f"txn_server ended with {how}")
            hit = how == -signal.SIGKILL or (mark.exists() if is_short(effect) else "(INJECTED)" in trace.read_text())
            if hit and (effect == "short" or (effect == "error=EINTR" and place.call in ("pwritev", "fallocate"))):
                check_equal(how, 0)  # tried again, and nobody noticed
            failed_sync = hit and place.call == "fdatasync" and place.name.endswith(".log") and effect.startswith("error")
            if failed_sync:
                # What follows a sync that failed would be no more durable; only a seal is nothing that anybody waits for.
                check(how in (1, 7) or "the log was not closed" in pair.txn.log(), f"txn_server went on and ended with {how}")
            check_survival(life, effect, failed_sync, trace)
        except AssertionError as error:
            what = f"KVS_CASE='{case_name(past, place, effect)}'"
            print(f"failed: {what}: {error}", flush=True)
            raise AssertionError(what) from error
        return hit


def case_name(past, place, effect):
    return f"{effect} {place.call} {place.name or '.'} {place.number} {'with' if past else 'without'} a past"


def named_case(name, past):
    """What case_name() gave the name to."""
    effect, call, file, number, begin = name.split(" ")[:5]
    return past if begin == "with" else None, strace.Place(call, "" if file == "." else file, int(number)), effect


def has_short_write(trace, directory):
    for _, _, _, rest in strace.calls_in(trace.read_text(), directory):
        wanted = sum(int(length) for length in re.findall(r"iov_len=(\d+)", rest))
        if 0 < int(rest.rsplit("= ", 1)[1].split()[0]) < wanted:
            return True
    return False


def run_short_write(chance, goes_on):
    """The system takes some sectors of a frame, and then the rest, or no more: a limit for the size of files makes it do so."""
    with Pair(txn_args=SETTINGS, txn_variables=UNDER_STRACE) as pair:
        life = Life(pair)
        trace = pair.directory / "trace"
        segment = "0000000001.log"
        # Long enough to lift the limit before txn_server sees what was written.
        delay = ["-einject=pwritev:delay_exit=500000"] if goes_on else []
        under = ["env", "--ignore-signal=XFSZ", *strace.command(trace, pair.data, [segment], ["pwritev"], *delay)]
        check(life.starts(under), "no start")
        life.start_clients()
        check(life.reaches(life.all_rest), "txn_server has ended")
        # In the middle of the next frame but one, before which there may be a seal.
        limit = last_write(pair)[1] + 512 * chance.randrange(12, VALUE_BYTES // 512)
        set_file_limit(pair, limit)
        with pair.channel() as channel:
            put = put_value(channel, 0)
            met = life.reaches(lambda: any(read_bytes(pair.data / segment, limit - 512, limit)))
            if goes_on:
                check(met, "txn_server has ended")
                set_file_limit(pair, resource.RLIM_INFINITY)
                put.result()
            else:
                life.reaches(life.ended)
        check_equal(life.end(), 0 if goes_on else 7)
        check(has_short_write(trace, pair.data), "no write was short")
        check_survival(life, "a short write", False, trace)


def set_file_limit(pair, limit):
    resource.prlimit(pair.txn.process.pid, resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))


def sample(cases, chance):
    """Some of each effect at each kind of call first."""
    if LONG:
        return cases
    cases = list(cases)
    chance.shuffle(cases)
    seen = set()
    rare = [case for case in cases if (kind := (case[1].call, case[2])) not in seen and not seen.add(kind)]
    return rare[:SAMPLE]


def main():
    chance = seeded()
    with tempfile.TemporaryDirectory(prefix="kvs-past-") as directory:
        past = pathlib.Path(directory) / "data"
        make_past(past)
        if "KVS_CASE" in os.environ:
            check(run_fault(*named_case(os.environ["KVS_CASE"], past)), "the fault was not met")
            return
        every = [(begin, place, effect) for begin in (None, past) for place in record(begin) for effect in EFFECTS]
        cases = [case for case in every if not is_short(case[2]) or case[1].call == "pwritev"]
        chosen = sample(cases, chance)
        with concurrent.futures.ThreadPoolExecutor(AT_ONCE) as pool:
            short = [pool.submit(run_short_write, random.Random(chance.random()), i % 2 == 0) for i in range(SHORT_WRITES)]
            runs = [pool.submit(run_fault, *case) for case in chosen]
            hit = sum(run.result() for run in runs)
            for done in short:
                done.result()
    # Threads do not always come to the same number of calls.
    check(hit >= len(chosen) * 3 // 4, f"only {hit} of {len(chosen)} faults were met")
    print(f"{hit} faults met at {len(chosen)} of {len(cases)} places, {SHORT_WRITES} short writes")


if __name__ == "__main__":
    main()
