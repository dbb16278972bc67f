"""A ledger is copied from a file into PostgreSQL and back, with revisions, actors and history; a copy that is cut off leaves
no ledger that anybody would take for a whole one."""

import json
import subprocess
import threading

from pair import BIN, Pair, check, check_equal, run
from postgres import Cluster, LockedTable, pair_on


def copy(cluster, *args, check=True, **variables):
    return run([BIN / "txn_server", "copy", *args], check=check, env={**cluster.environment(), **variables})


def write(pair, round):
    """All types; what one round puts, the next one changes and deletes."""
    for number in range(round, round + 3):
        pair.cli("put", "string", f"name-{number}", f"text {round}")
        pair.cli("put", "uint", f"id-{number}", str(2**64 - 1 - round))
        pair.cli("put", "float", f"ratio-{number}", f"{round}.5")
    pair.cli("incr", "int", "counter", "-7")
    pair.cli("set", "add", "seen", *(f"m{round}-{member}" for member in range(50)))
    pair.cli("map", "put", "person", f"field-{round}=value {round}", "name=Ann")
    pair.cli("del", "string", f"name-{round}")


def history(cluster, database):
    return cluster.sql("SELECT revision, time, actor, type, key, operation FROM history ORDER BY revision", database)


def interrupt_copy(cluster, data, database):
    """Kills a copy while it waits for a table that another session holds."""
    url = f"--to=postgres:dbname={database}"
    run([BIN / "txn_server", "migrate", f"--postgres-url=dbname={database}"], env=cluster.environment())
    lock = LockedTable(cluster, database)
    copying = subprocess.Popen([BIN / "txn_server", "copy", f"--from=file:{data}", url], env=cluster.environment())
    waits = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
    while cluster.sql(waits) == "0":
        check(copying.poll() is None, "the copy ended")
        threading.Event().wait(0.02)
    copying.kill()
    copying.wait()
    lock.release()


with Cluster() as cluster, Pair() as pair:
    for database in ("target", "archive", "half"):
        cluster.sql(f"CREATE DATABASE {database}")
    pair.start()
    for round in range(4):
        write(pair, round)
    before = pair.state()
    pair.stop()

    done = json.loads(copy(cluster, f"--from=file:{pair.data}", "--to=postgres:dbname=target", "--output=json").stdout)
    check_equal(done["revision"], json.loads(before["int", "counter"])["latestRevision"])
    rows = history(cluster, "target")
    check_equal(len([row for row in rows.splitlines() if "|counter|" in row]), 4)
    check_equal([row.split("|")[-1] for row in rows.splitlines() if "|name-0|" in row], ["delete"])
    copy(cluster, f"--from=file:{pair.data}", "--to=postgres:dbname=archive", "--retention=full")
    check_equal(len(history(cluster, "archive").splitlines()), int(done["revision"]))

    with pair_on(cluster, "target") as moved:
        moved.start()
        check_equal(moved.state(), before)
        write(moved, 4)
        after = moved.state()
        moved.stop()
        rows = history(cluster, "target")
        again = copy(cluster, f"--from=file:{pair.data}", "--to=postgres:dbname=target", check=False)
        check_equal(again.returncode, 1)
        check("the database holds a ledger already" in again.stderr, again.stderr)
        check_equal(history(cluster, "target"), rows)

    # A source is only read.
    cluster.sql("CREATE ROLE reader LOGIN PASSWORD 'secret'; GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader", "target")
    back = pair.directory / "back"
    copy(cluster, "--from=postgres:dbname=target", f"--to=file:{back}", PGUSER="reader", PGPASSWORD="secret")
    pair.data = back
    pair.start()
    check_equal(pair.state(), after)
    pair.cli("put", "string", "later", "works")
    pair.stop()

    interrupt_copy(cluster, back, "half")
    with pair_on(cluster, "half") as half:
        refused = run([BIN / "txn_server", *half.ledger, *half.tls("txn"), "--listen=127.0.0.1:0"], check=False, env=cluster.environment())
        check(refused.returncode != 0, "half a copy was opened")
        check("a copy of another ledger into this database was not finished" in refused.stderr, refused.stderr)
    repeated = copy(cluster, f"--from=file:{back}", "--to=postgres:dbname=half", check=False)
    check("was not finished: drop the database" in repeated.stderr, repeated.stderr)

    secret = copy(cluster, f"--from=file:{back}", "--to=postgres://ann:secret@localhost/half", check=False)
    check_equal(secret.returncode, 2)
    check("PGPASSWORD" in secret.stderr and "secret" not in secret.stderr, secret.stderr)
