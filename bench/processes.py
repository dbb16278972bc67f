"""Processes of a benchmark: started on free ports, below one directory, with what they cost counted."""

import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time

DEADLINE_SECONDS = 120
LIBC = ctypes.CDLL(None)
PR_SET_PDEATHSIG = 1


class Failure(Exception):
    """Something that ends the benchmark, in a sentence for people."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def await_port(port, process):
    """Until something listens there."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            process.check_alive()
            if time.monotonic() > deadline:
                raise Failure(f"{process.name} does not listen on port {port}")
            time.sleep(0.01)


def end_with_parent():
    """For new processes: they are killed when the benchmark is, so that nothing is left behind."""
    LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


class Process:
    """A server. Its log, all that it writes, is read line by line."""

    def __init__(self, name, command, **options):
        self.name = name
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            start_new_session=True,
            preexec_fn=end_with_parent,
            **options,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self._add(line.rstrip("\n"))
        self._add(None)

    def _add(self, line):
        with self.changed:
            self.lines.append(line)
            self.changed.notify_all()

    def await_line(self, pattern, seconds=DEADLINE_SECONDS):
        """The match of the first line of the log that has it."""
        deadline = time.monotonic() + seconds
        seen = 0
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    match = line is not None and re.search(pattern, line)
                    if match:
                        return match
                    if line is None:
                        raise Failure(f"{self.name} ended:\n{self.end_of_log()}")
                seen = len(self.lines)
                if not self.changed.wait(deadline - time.monotonic()):
                    raise Failure(f"{self.name} did not log {pattern!r}:\n{self.end_of_log()}")

    def check_alive(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.name} ended with {self.process.returncode}:\n{self.end_of_log()}")

    def end_of_log(self):
        return "\n".join(line for line in self.lines[-15:] if line is not None)

    def pids(self):
        """Its own and those of its children."""
        pid = self.process.pid
        try:
            children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        except OSError:
            children = []
        return [pid, *map(int, children)]

    def cpu_seconds(self):
        return sum(cpu_seconds_of(pid) for pid in self.pids())

    def resident_bytes(self):
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(DEADLINE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


def cpu_seconds_of(pid):
    """User and system time of a process, and of its children that have ended."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def run(command, **options):
    """Runs a program to its end; its output, and the processor seconds that it took."""
    command = [str(word) for word in command]
    before = os.times()
    done = subprocess.run(command, capture_output=True, text=True, timeout=1800, **options)
    after = os.times()
    if done.returncode != 0:
        raise Failure(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    cpu = after.children_user - before.children_user + after.children_system - before.children_system
    return done.stdout, cpu
