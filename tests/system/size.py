"""How much of a sweep a test runs, and what its random choices begin with. Both come from the environment, so that a failure
can be run again alone."""

import os
import random

# KVS_LONG=1, as `make test-long` sets it: every case instead of a seeded sample.
LONG = os.environ.get("KVS_LONG") == "1"


def seeded():
    """A source of random choices that begins with KVS_SEED, or with a new seed, which is printed."""
    seed = int(os.environ.get("KVS_SEED", random.randrange(1 << 30)))
    print(f"KVS_SEED={seed}", flush=True)
    return random.Random(seed)
