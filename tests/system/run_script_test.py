"""deploy/dev/run.sh, which is make run after the build: on a terminal with Ctrl-C, and what it refuses or reports."""

import fcntl
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import termios
import time

from pair import BIN, DEADLINE_SECONDS, SOURCE, check, check_equal, run

SCRIPT = SOURCE / "deploy" / "dev" / "run.sh"
INTERRUPT = b"\x03"


def free_ports():
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    ports = [s.getsockname()[1] for s in sockets]
    for s in sockets:
        s.close()
    return ports


def settings(state, ports):
    return {
        **os.environ,
        "KVS_BIN": str(BIN),
        "KVS_STATE": str(state),
        "KVS_PORT": str(ports[0]),
        "TXN_PORT": str(ports[1]),
    }


class Run:
    """run.sh on a terminal of its own, as its foreground job."""

    def __init__(self, state, ports):
        self.state = state
        self.output = ""
        terminal, inner = os.openpty()
        self.terminal = terminal
        self.process = subprocess.Popen(
            [str(SCRIPT)],
            env=settings(state, ports),
            stdin=inner,
            stdout=inner,
            stderr=inner,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(inner)

    def read(self):
        """Appends what the terminal shows next; False at its end."""
        try:
            data = os.read(self.terminal, 65536)
        except OSError:
            return False
        self.output += data.decode().replace("\r\n", "\n")
        return bool(data)

    def wait_for(self, text):
        while text not in self.output:
            check(self.read(), f"run.sh ended without {text!r}:\n{self.output}")

    def wait(self):
        while self.read():
            pass
        return self.process.wait(DEADLINE_SECONDS)

    def interrupt(self):
        os.write(self.terminal, INTERRUPT)

    def line(self, pattern):
        match = re.search(rf"^ *(.*{pattern}.*)$", self.output, re.MULTILINE)
        check(match, f"no line has {pattern!r}:\n{self.output}")
        return match.group(1)

    def servers(self):
        """The process ids of kvs_server and txn_server."""
        return [int(line) for line in (self.state / "run.pids").read_text().split()[1:]]

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error:
            print(f"---- output of run.sh ----\n{self.output}")
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
            for pid in self.servers():
                os.kill(pid, signal.SIGKILL)
        os.close(self.terminal)


def is_gone(pid):
    """Whether the process has ended; it may still be a zombie of another parent."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


def wait_until_gone(pid):
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not is_gone(pid):
        check(time.monotonic() < deadline, f"process {pid} is still there")


def paste(line):
    """Runs a printed line as a user would, in a shell elsewhere, and returns what it prints."""
    return run(["bash", "-c", f"cd / && {line}"]).stdout.strip()


def refused(state, ports, *words):
    """A run that must end at once with status 1 and one line that has `words`."""
    done = subprocess.run(
        [str(SCRIPT)], env=settings(state, ports), capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    check_equal(done.returncode, 1)
    check_equal(len(done.stderr.splitlines()), 1)
    for word in words:
        check(word in done.stderr, f"{word!r} is missing in {done.stderr!r}")


def test_interrupt_stops_both_and_the_data_stays(state):
    ports = free_ports()
    with Run(state, ports) as first:
        first.wait_for("Stop both")
        groups = {os.getpgid(pid) for pid in [first.process.pid, *first.servers()]}
        check_equal(len(groups), 3)
        paste(first.line("put int visits 41"))
        # Where the kvs command looks for it.
        check_equal((first.state / "address").read_text(), f"localhost:{ports[0]}\n")
        servers = first.servers()
        first.interrupt()
        check_equal(first.wait(), 0)
        check(all(is_gone(pid) for pid in servers), "a server is still there")
        log = (state / "log" / "kvs_server.log").read_text()
        check("drained" in log and "lost the stream" not in log, f"kvs_server did not stop first:\n{log}")

    with Run(state, ports) as second:
        second.wait_for("Stop both")
        check_equal(paste(second.line("get int visits")), "41")
        if shutil.which(second.line("/Get").split()[0]):
            check('"value": "41"' in paste(second.line("IntStore/Get")), "grpcurl does not show the value")
        second.process.terminate()
        check_equal(second.wait(), 0)


def test_second_pair_and_ports_in_use_are_refused(state):
    ports = free_ports()
    with Run(state, ports) as first:
        first.wait_for("Stop both")
        refused(state, free_ports(), "already runs", f"kill {first.process.pid}'", "KVS_STATE")
        elsewhere = state.with_name("elsewhere")
        refused(elsewhere, ports, f"port {ports[0]} is in use", f"pid {first.servers()[0]}", "KVS_PORT")
        refused(elsewhere, [free_ports()[0], ports[1]], f"port {ports[1]} is in use", "TXN_PORT")
        refused(elsewhere, [0, ports[1]], "KVS_PORT must be a port")


def test_death_of_either_is_reported(state):
    for victim, name, other in ((0, "kvs_server", 1), (1, "txn_server", 0)):
        with Run(state, free_ports()) as pair:
            pair.wait_for("Stop both")
            servers = pair.servers()
            os.kill(servers[victim], signal.SIGKILL)
            check_equal(pair.wait(), 1)
            check(f"{name} was killed by SIGKILL" in pair.output, pair.output)
            check(f"{name}.log" in pair.output and "listening" in pair.output, pair.output)
            check(is_gone(servers[other]), "the other server is still there")


def test_failed_start_is_reported_with_the_log(state):
    state.mkdir()
    (state / "data").write_text("not a directory")
    with Run(state, free_ports()) as pair:
        check_equal(pair.wait(), 1)
        check(re.search(r"txn_server ended with exit code \d+", pair.output), pair.output)
        check(f"{state}/data" in pair.output, "the log is not shown")
        check("Stop both" not in pair.output, "it claims to run")


def test_second_interrupt_stops_a_server_that_hangs(state):
    with Run(state, free_ports()) as pair:
        pair.wait_for("Stop both")
        os.kill(pair.servers()[0], signal.SIGSTOP)
        pair.interrupt()
        pair.wait_for("Stopping kvs_server")
        pair.interrupt()
        check_equal(pair.wait(), 1)
        check("kvs_server was killed by SIGKILL" in pair.output, pair.output)
        check("txn_server was" not in pair.output and "txn_server ended" not in pair.output, pair.output)


def test_servers_that_outlived_the_script_are_named(state):
    ports = free_ports()
    with Run(state, ports) as first:
        first.wait_for("Stop both")
        servers = first.servers()
        first.process.kill()
        first.process.wait()
        stop = f"kill {servers[0]} {servers[1]}"
        refused(state, ports, f"'{stop}'")
        paste(stop)
        for pid in servers:
            wait_until_gone(pid)
        # Their last threads may hold the lock a little longer.
        run(["flock", "--timeout", DEADLINE_SECONDS, state / "run.lock", "true"])
    with Run(state, ports) as second:
        second.wait_for("Stop both")
        second.interrupt()
        check_equal(second.wait(), 0)


for name, test in list(globals().items()):
    if name.startswith("test_"):
        directory = pathlib.Path(tempfile.mkdtemp(prefix="kvs-run-"))
        try:
            print(name, flush=True)
            test(directory / "state")
        finally:
            shutil.rmtree(directory)
print("ok")
