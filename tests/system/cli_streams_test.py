"""The kvs command and its standard streams: input that cannot be read is no end of it, results come while the input goes on, and
output that cannot be written is no success."""

import subprocess

from pair import BIN, Pair, check, check_equal

INCREMENT = '{"intIncrement":{"key":"visits"}}\n'

with Pair() as pair:
    pair.start()
    arguments = [f"--address=localhost:{pair.kvs_port}", *pair.client_args()]

    def kvs(redirected):
        """What a command line of the shell ends with, and says on stderr."""
        done = subprocess.run(
            ["bash", "-c", f'kvs() {{ "$KVS" "$@" {" ".join(arguments)}; }}; {redirected}'],
            env={"KVS": str(BIN / "kvs"), "PATH": "/usr/bin:/bin"},
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=60,
        )
        return done.returncode, done.stderr

    for command in ["import", "batch", "batch --atomic", "put string page --file -"]:
        for source, cause in [("< /", "Is a directory"), ("<&-", "it is closed")]:
            status, error = kvs(f"kvs {command} {source}")
            check_equal(status, 1)
            check(f"cannot read the standard input: {cause}" in error, f"kvs {command} {source} says {error}")

    for command in ["incr int visits", f"batch <<< '{INCREMENT.strip()}'"]:
        for sink in ["> /dev/full", ">&-"]:
            status, error = kvs(f"kvs {command} {sink}")
            check_equal(status, 1)
            check("cannot write to the standard output" in error, f"kvs {command} {sink} says {error}")
    check_equal(pair.cli("get", "int", "visits").stdout, "4\n")
    status, error = kvs("kvs export > /dev/full")
    check_equal(status, 1)
    check("the export is not whole: cannot write to the standard output" in error, error)
    check("exported" not in error, error)

    batch = subprocess.Popen(
        [str(BIN / "kvs"), "batch", *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    for value in range(5, 8):
        batch.stdin.write(INCREMENT)
        batch.stdin.flush()
        check(f'"value":"{value}"' in batch.stdout.readline(), "the result comes while the input is open")
    batch.stdin.close()
    check_equal(batch.wait(), 0)
    pair.stop()
