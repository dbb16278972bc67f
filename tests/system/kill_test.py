"""kill -9 of either server, and of both, under load: what was acknowledged is there afterwards, and nothing else is."""

from kills import kill_both, kill_kvs, kill_txn, survive
from pair import Pair

with Pair() as pair:
    pair.start()
    survive(pair, 12, [kill_txn, kill_kvs, kill_both])
