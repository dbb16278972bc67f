"""Backup, incremental backup, restore and copy of a ledger in use, and the salvage of a damaged one, with the real programs: a
pair that starts on what was restored has the state of the moment of the backup, revisions included."""

import json
import pathlib
import time

from pair import BIN, DEADLINE_SECONDS, Pair, check, check_equal, run


def log(*args, check=True):
    done = run([BIN / "kvs", "--output=json", "log", *args], check=check)
    return json.loads(done.stdout) if check else done


def write(pair, numbers):
    for number in numbers:
        pair.cli("put", "string", f"name-{number}", f"text {number}")
        pair.cli("incr", "int", "counter")
        pair.cli("set", "add", "seen", f"m{number}")


def await_seal(pair):
    """Until the ledger, having nothing to do, has sealed its log: nothing changes there before the next write."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not log("verify", pair.data)["sealed"]:
        check(time.monotonic() < deadline, "the log was not sealed")


def restart_on(pair, data):
    pair.stop()
    pair.data = pathlib.Path(data)
    pair.start()


def flip_a_byte_behind(path, text):
    data = bytearray(path.read_bytes())
    at = data.index(text)
    data[at] ^= 1
    path.write_bytes(data)


with Pair() as pair:
    backup, restored, copied = (pair.directory / name for name in ("backup", "restored", "copied"))
    pair.start()
    write(pair, range(8))
    first = log("backup", pair.data, backup)
    check(int(first["filesCopied"]) > 0, first)
    write(pair, range(8, 12))
    await_seal(pair)
    second = log("backup", pair.data, backup)
    check_equal(int(second["revision"]), 3 * 12)
    check_equal(log("backup", pair.data, backup)["filesCopied"], "0")
    at_backup = pair.state()
    write(pair, range(12, 16))

    refused = run([BIN / "kvs", "log", "restore", backup, pair.data], check=False)
    check_equal(refused.returncode, 1)
    check("is not empty" in refused.stderr, refused.stderr)
    report = log("restore", backup, restored)
    check_equal(report["revision"], second["revision"])
    check(report["logId"] != report["restoredFrom"], report)
    stat = log("stat", restored)
    check_equal(stat["lastRevision"], second["revision"])
    check_equal(stat["keys"]["string"], "12")

    busy = run([BIN / "txn_server", "copy", f"--from=file:{pair.data}", f"--to=file:{copied}"], check=False)
    check_equal(busy.returncode, 1)
    check("only one may use a ledger" in busy.stderr, busy.stderr)
    check(not copied.exists(), "a refused copy left something")

    restart_on(pair, restored)
    check_equal(pair.state(), at_backup)
    write(pair, range(20, 22))
    before = pair.state()
    pair.stop()
    done = run([BIN / "txn_server", "copy", f"--from=file:{restored}", f"--to=file:{copied}", "--output=json"])
    check_equal(json.loads(done.stdout)["revision"], str(3 * 14))
    pair.data = copied
    pair.start()
    check_equal(pair.state(), before)
    write(pair, [30])
    before = pair.state()
    pair.stop()

    for segment in copied.glob("*.log"):
        if b"text 5" in segment.read_bytes():
            flip_a_byte_behind(segment, b"text 5")
    check_equal(run([BIN / "kvs", "log", "verify", copied], check=False).returncode, 1)
    salvaged = pair.directory / "salvaged"
    report = log("salvage", copied, salvaged)
    check_equal(len(report["lost"]), 1)
    lost = report["lost"][0]
    check(int(lost["firstRevision"]) <= 3 * 5 + 1 <= int(lost["lastRevision"]), lost)
    pair.data = salvaged
    pair.start()
    after = pair.state()
    check(("string", "name-5") not in after, "a lost key is back")
    check_equal(after["string", "name-30"], before["string", "name-30"])
    check_equal(after["int", "counter"], before["int", "counter"])
    check_equal([key["key"] for key in report["doubtfulKeys"]], ["seen"])
    pair.cli("put", "string", "later", "works")
    print(f"lost: {lost}; doubtful: {report['doubtfulKeys']}")
