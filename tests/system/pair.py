"""The real programs, as a user runs them: certificates, txn_server and kvs_server as processes on free ports, over mTLS."""

import atexit
import functools
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

BIN = pathlib.Path(os.environ["KVS_BIN"])
SOURCE = pathlib.Path(os.environ["KVS_SOURCE"])
DEADLINE_SECONDS = 60

# What programs that get an environment of their own are given all the same: how sanitizers report.
SANITIZERS = {name: value for name, value in os.environ.items() if name == "LSAN_OPTIONS"}


class Process:
    """A server whose log is read line by line."""

    def __init__(self, name, args, variables=None, under=()):
        """`variables` are set in its environment beside those of the test; `under` is a command that becomes the server."""
        self.name = name
        self.lines = []
        self.changed = threading.Condition()
        self.process = subprocess.Popen(
            [*under, str(BIN / name), *args],
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
            start_new_session=True,
            env={**os.environ, **(variables or {})},
        )
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stderr:
            with self.changed:
                self.lines.append(line.rstrip("\n"))
                self.changed.notify_all()
        with self.changed:
            self.lines.append("(end of the log)")
            self.changed.notify_all()

    def wait_for(self, pattern):
        """The match of the first log line that has `pattern`; fails if the process ends before."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        seen = 0
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    match = re.search(pattern, line)
                    if match:
                        return match
                seen = len(self.lines)
                if self.lines and self.lines[-1] == "(end of the log)":
                    raise AssertionError(f"{self.name} ended without {pattern!r}:\n" + self.log())
                if not self.changed.wait(deadline - time.monotonic()):
                    raise AssertionError(f"{self.name} did not log {pattern!r}:\n" + self.log())

    def log(self):
        return "\n".join(self.lines)

    def port(self):
        return int(self.wait_for(r"listening\s.*address=\S*:(\d+)").group(1))

    def kill(self):
        self.process.kill()
        return self.wait()

    def terminate(self, number=signal.SIGTERM):
        self.process.send_signal(number)
        return self.wait()

    def wait(self):
        code = self.process.wait(DEADLINE_SECONDS)
        self.reader.join(DEADLINE_SECONDS)
        return code


_given_ports = set()


def free_port():
    """A port that nobody listens at, also not a while later: no connection is given one below 32768 by the system, and nobody
    else in this test."""
    while True:
        port = random.randrange(10_000, 32_000)
        if port in _given_ports:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue  # taken
        _given_ports.add(port)
        return port


class Pair:
    """Both servers, on the file ledger in `data` or on what `ledger` names, as flags of txn_server; `txn_variables` are added
    to its environment. A context manager, which removes everything in the end."""

    def __init__(self, txn_args=(), kvs_args=(), ledger=None, txn_variables=None):
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="kvs-system-"))
        self.certs = self.directory / "certs"
        self.data = self.directory / "data"
        self.ledger = ledger
        self.txn_variables = txn_variables
        self.txn_args = list(txn_args)
        self.kvs_args = list(kvs_args)
        self.txn = None
        self.kvs = None
        self.txn_under = ()  # a command that runs txn_server
        self.txn_host = "127.0.0.1"
        self.ledger_address = None  # where kvs_server finds txn_server, if there is something between them
        self.txn_port = free_port()
        self.kvs_port = free_port()
        run([BIN / "kvs", "certs", "init", self.certs])

    def tls(self, name):
        return [f"--tls-ca={self.certs}/ca.crt", f"--tls-certificate={self.certs}/{name}.crt", f"--tls-key={self.certs}/{name}.key"]

    def begin_txn(self, under=()):
        """Starts txn_server and does not wait for it; `under` is a command that runs it."""
        ledger = self.ledger or [f"--data-dir={self.data}"]
        self.txn = Process(
            "txn_server",
            [f"--listen={self.txn_host}:{self.txn_port}", *ledger, *self.tls("txn"), *self.txn_args],
            self.txn_variables,
            under,
        )
        return self.txn

    def start_txn(self):
        self.begin_txn(self.txn_under)
        self.txn_port = self.txn.port()
        return self.txn

    def start_kvs(self, *extra):
        self.kvs = Process(
            "kvs_server",
            [
                f"--listen=127.0.0.1:{self.kvs_port}",
                f"--ledger-address={self.ledger_address or f'{self.txn_host}:{self.txn_port}'}",
                *self.tls("kvs"),
                *self.kvs_args,
                *extra,
            ],
        )
        self.kvs_port = self.kvs.port()
        return self.kvs

    def start(self):
        self.start_txn()
        self.start_kvs()
        self.kvs.wait_for(r"\bserving\b")
        return self

    def stop(self):
        check_equal(self.kvs.terminate(), 0)
        check_equal(self.txn.terminate(), 0)

    def client_args(self):
        return [f"--ca={self.certs}/ca.crt", f"--cert={self.certs}/client.crt", f"--key={self.certs}/client.key"]

    def cli(self, *args, check=True):
        """Runs the kvs command against the pair."""
        return run([BIN / "kvs", f"--address=localhost:{self.kvs_port}", *self.client_args(), *args], check=check)

    def state(self):
        """Every key with its value and revision."""
        found = {}
        for line in self.cli("--output=json", "keys").stdout.splitlines():
            key = json.loads(line)
            kind = key["type"].lower().removeprefix("value_type_")
            found[kind, key["key"]] = self.cli("--output=json", "get", kind, key["key"]).stdout
        return found

    def channel(self, port=None):
        """A channel to kvs_server, or to what is at another port before it."""
        import grpc

        read = lambda name: (self.certs / name).read_bytes()
        credentials = grpc.ssl_channel_credentials(read("ca.crt"), read("client.key"), read("client.crt"))
        options = [
            ("grpc.enable_http_proxy", 0),
            # Channels to one address would share a connection.
            ("grpc.use_local_subchannel_pool", 1),
            ("grpc.initial_reconnect_backoff_ms", 50),
            ("grpc.max_reconnect_backoff_ms", 500),
        ]
        # No name: one that has several addresses, as localhost does, gRPC 1.51 now and then no longer connects to.
        channel = grpc.secure_channel(f"127.0.0.1:{port or self.kvs_port}", credentials, options)
        # The first attempt to connect now and then fails with an error number that gRPC has read too late; it makes another.
        grpc.channel_ready_future(channel).result(timeout=DEADLINE_SECONDS)
        return channel

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        for process in (self.kvs, self.txn):
            if process and process.process.poll() is None:
                process.kill()
            if process and error:
                print(f"---- log of {process.name} ----\n{process.log()}", file=sys.stderr)
        shutil.rmtree(self.directory, ignore_errors=True)


def run(args, check=True, env=None, input=None):
    """Runs a program to its end and returns it with its output as text."""
    done = subprocess.run([str(a) for a in args], capture_output=True, text=True, timeout=DEADLINE_SECONDS, env=env,
                          input=input)
    if check and done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, args))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done


@functools.cache
def import_generated():
    """Generates the Python client from the proto files, as a user would, and puts it on the path until the process ends."""
    out = tempfile.mkdtemp(prefix="kvs-python-")
    atexit.register(shutil.rmtree, out)
    protos = [str(p) for p in sorted((SOURCE / "proto" / "kvs" / "v1").glob("*.proto"))]
    # Part of googleapis-common-protos, which users have.
    protos.append(str(SOURCE / "proto" / "google" / "rpc" / "status.proto"))
    plugin = shutil.which("grpc_python_plugin")
    run(["protoc", f"-I{SOURCE}/proto", f"--python_out={out}", f"--grpc_python_out={out}", f"--plugin=protoc-gen-grpc_python={plugin}", *protos])
    sys.path.insert(0, out)


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def check_equal(actual, expected):
    check(actual == expected, f"expected {expected!r}, got {actual!r}")
