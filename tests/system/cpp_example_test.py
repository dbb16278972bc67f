"""The example of the C++ client library, run as its first lines say."""

from pair import BIN, Pair, check_equal, run

with Pair() as pair:
    pair.start()
    command = [BIN / "kvs_example", f"localhost:{pair.kvs_port}", pair.certs]
    check_equal(run([*command, "alice"]).stdout, "visit 1 by 1 visitors; hello, alice\n")
    check_equal(run([*command, "bob"]).stdout, "visit 2 by 2 visitors; hello, bob\n")
    check_equal(run([*command, "alice"]).stdout, "visit 3 by 2 visitors; welcome back, alice\n")
    check_equal(pair.cli("get", "int", "example:visits").stdout, "3\n")
    check_equal(run([*command[:2], "/nowhere", "alice"], check=False).returncode, 1)
    check_equal(run(command, check=False).returncode, 2)
