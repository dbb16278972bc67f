"""The pair on the file ledger, whose programs are killed and stopped in load, in replays and while snapshots are made: what was
acknowledged is there afterwards, and nothing else is, in the order of its acknowledgement."""

from kills import BOTH, KVS, TXN, Moments, choose_strikes, file_snapshot_under_way, fill_for_replays, fill_for_snapshots
from kills import survive, tell
from pair import BIN, Pair, check, run
from size import LONG, seeded
from writers import check_history, file_history

# Strikes with one pair, and how many pairs of either kind.
STRIKES, ROUNDS = (50, 15) if LONG else (14, 1)


def run_round(settings, fill, when, chance):
    """One pair that is struck at the moments `when`."""
    moments = Moments(chance, file_snapshot_under_way, looks=50)
    strikes = choose_strikes([TXN, KVS, BOTH], when, STRIKES, chance)
    with Pair(txn_args=["--retention=full", *settings]) as pair:
        pair.start()
        fill(pair)
        writers, values = survive(pair, strikes, moments, chance)
        check_history(writers, file_history(pair), values)
        pair.stop()
        check("verdict    good" in run([BIN / "kvs", "log", "verify", pair.data]).stdout, "the log is damaged")
    tell(strikes, writers)


chance = seeded()
for _ in range(ROUNDS):
    run_round(["--compaction-min-size=1TiB"], fill_for_replays, ["load", "replay"], chance)
    run_round(["--compaction-min-size=64KiB", "--compaction-percent=10"], fill_for_snapshots, ["load", "compaction"], chance)
