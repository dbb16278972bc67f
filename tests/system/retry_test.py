"""The kvs command, over kill -9 of kvs_server: each change that was sent takes effect once, and none is left unknown."""

import threading

from pair import Pair, check_equal

KILLS = 5
CALLS_BETWEEN_KILLS = 40
WRITERS = 3


class Writer(threading.Thread):
    def __init__(self, pair, name):
        super().__init__(daemon=True)
        self.pair = pair
        self.key = name
        self.results = []
        self.stop = threading.Event()

    def run(self):
        while not self.stop.is_set():
            done = self.pair.cli("--timeout=50s", "incr", "int", self.key, check=False)
            if "nothing was sent" not in done.stderr:
                self.results.append(done.stdout.strip() if done.returncode == 0 else done.stderr)


with Pair() as pair:
    pair.start()
    writers = [Writer(pair, f"counter-{i}") for i in range(WRITERS)]
    for writer in writers:
        writer.start()
    for kill in range(1, KILLS + 1):
        while sum(len(writer.results) for writer in writers) < kill * CALLS_BETWEEN_KILLS:
            writers[0].join(0.01)
        pair.kvs.kill()
        pair.start_kvs().wait_for(r"\bserving\b")
    for writer in writers:
        writer.stop.set()
    for writer in writers:
        writer.join()
        check_equal(writer.results, [str(i + 1) for i in range(len(writer.results))])
    pair.stop()
    print(f"{KILLS} kills, {sum(len(writer.results) for writer in writers)} calls")
