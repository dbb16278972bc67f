"""The servers that are compared, each with a directory of its own below that of the benchmark."""

import os
import pathlib
import pwd
import shutil
import subprocess
import time

from processes import DEADLINE_SECONDS, Failure, Process, await_port, free_port, run

# Debian's programs, with the packages that they are in.
PEERS = {
    "redis": ("redis-server redis-tools", ["redis-server", "redis-benchmark"]),
    "etcd": ("etcd-server", ["etcd"]),
    "postgres": ("postgresql", ["psql"]),
}


def missing(peer):
    """What of a peer is not installed, in a sentence, or None."""
    packages, programs = PEERS[peer]
    absent = [program for program in programs if shutil.which(program) is None]
    if peer == "postgres" and not postgres_programs():
        absent.append("the server")
    return f"{peer} is missing {', '.join(absent)}: install {packages}" if absent else None


def postgres_programs():
    """The directory of the newest server programs, or None."""
    versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("[0-9]*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    return versions[-1].parent if versions else None


class Bare:
    """The server with an empty handler."""

    def __init__(self, bin, model, threads=1):
        self.port = free_port()
        command = [bin / "bare_server", "--listen", f"127.0.0.1:{self.port}", "--model", model, "--threads", threads]
        self.process = Process(f"bare_server {model}", command)
        await_port(self.port, self.process)

    def processes(self):
        return {"bare_server": self.process}

    def client_args(self):
        return ["--address", f"127.0.0.1:{self.port}", "--plaintext"]

    def stop(self):
        self.process.stop()


class Pair:
    """kvs_server and txn_server, with mTLS between them."""

    def __init__(self, bin, directory, tls=False, ledger=None, txn_args=(), environment=None):
        self.bin = bin
        self.directory = directory
        self.tls = tls
        self.ledger = ledger or [f"--data-dir={directory}/data"]
        self.txn_args = list(txn_args)
        self.environment = {**os.environ, **(environment or {})}
        self.certs = directory / "certs"
        if not self.certs.exists():
            directory.mkdir(parents=True, exist_ok=True)
            run([bin / "kvs", "certs", "init", self.certs])
        self.txn = self.kvs = None
        self.start()

    def _tls(self, name):
        files = {"ca": "ca.crt", "certificate": f"{name}.crt", "key": f"{name}.key"}
        return [f"--tls-{what}={self.certs}/{file}" for what, file in files.items()]

    def start(self):
        """Returns when kvs_server serves, with all data."""
        self.txn = Process(
            "txn_server",
            [self.bin / "txn_server", "--listen=127.0.0.1:0", *self.ledger, *self._tls("txn"), *self.txn_args],
            env=self.environment,
        )
        txn_port = self.txn.await_line(r"listening\s.*address=\S*:(\d+)").group(1)
        self.kvs = Process(
            "kvs_server",
            [self.bin / "kvs_server", "--listen=127.0.0.1:0", f"--ledger-address=127.0.0.1:{txn_port}"]
            + self._tls("kvs") + ([] if self.tls else ["--insecure"])
            # A slow disk makes the benchmark slow rather than end it.
            + ["--max-commit-wait=1m"],
        )
        self.port = int(self.kvs.await_line(r"listening\s.*address=\S*:(\d+)").group(1))
        self.kvs.await_line(r"\bserving\b", seconds=600)

    def processes(self):
        return {"kvs_server": self.kvs, "txn_server": self.txn}

    def client_args(self):
        if not self.tls:
            return ["--address", f"127.0.0.1:{self.port}", "--plaintext"]
        files = [f"--{what}={self.certs}/{file}" for what, file in {"ca": "ca.crt", "cert": "client.crt", "key": "client.key"}.items()]
        return ["--address", f"localhost:{self.port}", *files]

    def stop(self):
        for process in (self.kvs, self.txn):
            if process:
                process.stop()


class PostgresPair(Pair):
    """One whose ledger is a database."""

    def __init__(self, bin, directory, postgres, database):
        self.postgres = postgres
        super().__init__(
            bin, directory, ledger=["--ledger=postgres", f"--postgres-url=dbname={database}"], environment=postgres.variables
        )

    def processes(self):
        return {**super().processes(), **self.postgres.processes()}


class Volatile:
    """kvs_server without a ledger."""

    def __init__(self, bin):
        self.process = Process("kvs_server", [bin / "kvs_server", "--listen=127.0.0.1:0", "--insecure", "--ledger=none"])
        self.port = int(self.process.await_line(r"listening\s.*address=\S*:(\d+)").group(1))

    def processes(self):
        return {"kvs_server": self.process}

    def client_args(self):
        return ["--address", f"127.0.0.1:{self.port}", "--plaintext"]

    def stop(self):
        self.process.stop()


class Redis:
    """With its default settings but for what decides its durability: `fsync` of its AOF, or None for no persistence. It makes
    no RDB snapshots by itself, which would only slow it down."""

    def __init__(self, directory, fsync=None, args=()):
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        durability = ["--appendonly", "yes", "--appendfsync", fsync] if fsync else ["--appendonly", "no"]
        self.args = [*durability, "--save", "", *args]
        self.start()

    def start(self):
        """Returns when it answers, with all data."""
        self.port = free_port()
        command = ["redis-server", "--port", self.port, "--bind", "127.0.0.1", "--dir", self.directory, *self.args]
        self.process = Process("redis-server", command)
        self.process.await_line("Ready to accept connections", seconds=600)

    def ask(self, *words):
        return run(["redis-cli", "-p", self.port, *words])[0].strip()

    def processes(self):
        return {"redis-server": self.process}

    def stop(self):
        self.process.stop()


class Etcd:
    """One member, with its default settings."""

    def __init__(self, directory):
        self.port = free_port()
        peer = f"http://127.0.0.1:{free_port()}"
        client = f"http://127.0.0.1:{self.port}"
        self.command = ["etcd", "--data-dir", directory, "--listen-client-urls", client, "--advertise-client-urls", client]
        self.command += ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer]
        self.command += ["--initial-cluster", f"default={peer}"]
        self.start()

    def start(self):
        self.process = Process("etcd", self.command, env={"PATH": os.environ["PATH"]})
        self.process.await_line("ready to serve client requests")

    def restart(self):
        """After many puts, or large transactions, etcd 3.4 takes several times as long for a get, for as long as it runs. That is not
        what it is compared in."""
        self.stop()
        self.start()

    def processes(self):
        return {"etcd": self.process}

    def stop(self):
        self.process.stop()


class Postgres:
    """A cluster of its own, on a Unix socket, with the default settings; run by an unprivileged user where this is root."""

    def __init__(self, directory):
        programs = postgres_programs()
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.data = directory / "data"
        as_user = []
        if os.geteuid() == 0:
            user = "postgres" if "postgres" in (entry.pw_name for entry in pwd.getpwall()) else "nobody"
            shutil.chown(directory, user)
            # A change of user forgets that the process is to end with its parent.
            as_user = ["setpriv", "--pdeathsig=KILL", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", "--"]
        directory.chmod(0o755)
        initdb = ["--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8", f"--pgdata={self.data}"]
        run([*as_user, programs / "initdb", *initdb], cwd="/")
        # What clients find it by.
        self.variables = {"PGHOST": str(directory), "PGUSER": "postgres", "PGDATABASE": "postgres"}
        self.process = Process(
            "postgres", [*as_user, programs / "postgres", "-D", self.data, "-c", "listen_addresses=", "-k", directory], cwd="/"
        )
        deadline = time.monotonic() + DEADLINE_SECONDS
        while subprocess.run([programs / "pg_isready", "-q"], env={**os.environ, **self.variables}).returncode != 0:
            self.process.check_alive()
            if time.monotonic() > deadline:
                raise Failure(f"PostgreSQL does not start:\n{self.process.end_of_log()}")
            time.sleep(0.02)

    def sql(self, text, database="postgres"):
        return run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database, "-c", text], env={**os.environ, **self.variables}
        )[0].strip()

    def processes(self):
        return {"postgres": self.process}

    def stop(self):
        self.process.stop()
