"""The pair on PostgreSQL, where any of the three is killed and stopped in load, in replays and while snapshots are made: what was
acknowledged is there afterwards, and nothing else is, in the servers as in the tables."""

import time

from kills import (
    BOTH, KVS, TXN, Moments, Program, choose_strikes, fill_for_replays, fill_for_snapshots, restart_txn, survive, tell,
)
from pair import DEADLINE_SECONDS, check, check_equal
from postgres import Cluster, pair_on
from size import LONG, seeded
from writers import check_history

# Strikes with one pair, and how many pairs of either kind.
STRIKES, ROUNDS = (40, 15) if LONG else (5, 1)


def programs_of(cluster, database):
    def restart(pair):
        cluster.await_end()
        cluster.start()

    def follow(pair):
        """PostgreSQL starts again by itself. txn_server waits for it, but for 15 s only where it does not know whether a COMMIT happened: it
        ends then, and has to be started again."""
        before = set(cluster.sessions(database))
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not set(cluster.sessions(database)) - before:
            check(time.monotonic() < deadline, f"PostgreSQL does not start again:\n{cluster.log()}")
            if pair.txn.process.poll() is not None:
                cluster.await_ready()
                return restart_txn(pair)
            time.sleep(0.01)

    return [
        Program("PostgreSQL", lambda pair: cluster.processes(), restart),
        # Its children notice and end.
        Program("the postmaster", lambda pair: cluster.processes()[:1], restart),
        # What it serves is taken for damaged: PostgreSQL ends all sessions and starts again by itself.
        Program("a session of PostgreSQL", lambda pair: cluster.sessions(database)[:1], follow),
    ]


class SnapshotWatch:
    """Tells whether a snapshot is made, as soon as one is; PostgreSQL itself looks for the session."""

    QUERY = """DO $$ BEGIN LOOP
      PERFORM pg_stat_clear_snapshot();
      EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'txn_server compaction');
      PERFORM pg_sleep(0.001);
    END LOOP; END $$"""

    def __init__(self, cluster):
        self.cluster = cluster
        self.session = None

    def __call__(self, pair):
        if self.session is None:
            self.session = self.cluster.begin_sql(self.QUERY)
        if self.session.poll() is None:
            return False
        self.session, code = None, self.session.returncode
        check_equal(code, 0)
        return True


def history(cluster, database):
    """What the tables have: of counters revision, key and value."""
    counts = "operation = 'increment'"
    columns = f"revision, CASE WHEN {counts} THEN key END, CASE WHEN {counts} THEN new_value END"
    rows = [row.split("|") for row in cluster.sql(f"SELECT {columns} FROM history ORDER BY revision", database).splitlines()]
    return [(int(revision), key, int(value or 0)) for revision, key, value in rows]


def current_values(cluster, database):
    rows = cluster.sql("SELECT key, value FROM current_values WHERE key LIKE 'counter-%'", database).splitlines()
    return {key: int(value) for key, value in (row.split("|") for row in rows)}


def run_round(cluster, database, settings, fill, when, chance):
    """One pair that is struck at the moments `when`."""
    cluster.sql(f"CREATE DATABASE {database}")
    moments = Moments(chance, SnapshotWatch(cluster), looks=0)
    strikes = choose_strikes([TXN, KVS, BOTH, *programs_of(cluster, database)], when, STRIKES, chance)
    with pair_on(cluster, database, settings) as pair:
        pair.start()
        fill(pair)
        writers, values = survive(pair, strikes, moments, chance)
        check_equal(current_values(cluster, database), values)
        check_history(writers, history(cluster, database), values)
        pair.stop()
    tell(strikes, writers)


chance = seeded()
for _ in range(ROUNDS):
    with Cluster() as cluster:
        fill = lambda pair: fill_for_replays(pair, calls=10)
        run_round(cluster, "replays", [], fill, ["load", "replay"], chance)
        settings = ["--compaction-min-size=64KiB", "--compaction-percent=10"]
        run_round(cluster, "snapshots", settings, fill_for_snapshots, ["load", "compaction"], chance)
