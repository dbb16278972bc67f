"""A PostgreSQL server of a test's own, and a pair whose ledger is in it."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from pair import DEADLINE_SECONDS, Pair, check, check_equal

# Everybody has to show a password but the superuser, who comes in as on Debian: by the name that the system knows.
HBA = "local all postgres trust\nlocal all all scram-sha-256\n"


def find_programs():
    versions = sorted(pathlib.Path("/usr/lib/postgresql").glob("[0-9]*"), key=lambda path: int(path.name))
    check(versions, "there is no PostgreSQL server: run deploy/dev/install_packages.sh test")
    return versions[-1] / "bin"


def read_if_there(path):
    try:
        return path.read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def works_in(process, directory):
    try:
        return os.readlink(process / "cwd") == str(directory)
    except OSError:
        return False  # gone, or somebody else's


class Cluster:
    """Made in a temporary directory with the newest server programs, with the default settings, on a Unix socket alone. Runs as
    an unprivileged user where the test is root. A context manager, which removes everything in the end."""

    def __init__(self):
        self.programs = find_programs()
        # What is before the command line of a program. Not Popen's `user`, which needs a real fork: before that gRPC waits until
        # no call is under way, on Debian 13 for ever.
        self.as_user = []
        self.process = None
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="kvs-postgres-"))
        self.data = self.directory / "data"
        if os.geteuid() == 0:
            user = "postgres" if "postgres" in (entry.pw_name for entry in pwd.getpwall()) else "nobody"
            shutil.chown(self.directory, user)
            self.as_user = ["setpriv", f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups", "--"]
        self.directory.chmod(0o755)
        arguments = ["--no-sync", "--auth=trust", "--username=postgres", "--encoding=UTF8", "--locale=C.UTF-8"]
        subprocess.run(
            [*self.as_user, self.programs / "initdb", *arguments, f"--pgdata={self.data}"],
            cwd="/", check=True, capture_output=True, timeout=DEADLINE_SECONDS,
        )
        (self.data / "pg_hba.conf").write_text(HBA)
        # What clients find it by, as superuser unless they say otherwise.
        self.variables = {"PGHOST": str(self.directory), "PGUSER": "postgres", "PGDATABASE": "postgres"}
        self.start()

    def start(self):
        with open(self.directory / "server.log", "a") as log:
            self.process = subprocess.Popen(
                [*self.as_user, self.programs / "postgres", "-D", self.data, "-c", "listen_addresses=", "-k", self.directory],
                cwd="/", stdout=log, stderr=log, start_new_session=True,
            )
        self.await_ready()

    def await_ready(self):
        """Until it takes connections."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while subprocess.run([self.programs / "pg_isready", "-q"], env=self.environment()).returncode != 0:
            check(time.monotonic() < deadline and self.process.poll() is None, f"PostgreSQL does not start:\n{self.log()}")
            time.sleep(0.02)

    def processes(self):
        """The process that started all others, and these."""
        children = pathlib.Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return [self.process.pid, *map(int, children)]

    def sessions(self, database):
        """The processes that serve a database."""
        names = {process: pathlib.Path(f"/proc/{process}/cmdline") for process in self.processes()[1:]}
        return [process for process, name in names.items() if f" {database} " in read_if_there(name)]

    def crash(self):
        """Ends the server and all of its processes without any preparation."""
        if self.process is None:
            return
        for process in self.processes():
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass
        self.await_end()

    def await_end(self):
        """Waits until a server that was killed is gone, with those of its processes that notice that by themselves."""
        self.process.wait(DEADLINE_SECONDS)
        self.process = None
        deadline = time.monotonic() + DEADLINE_SECONDS
        while any(works_in(process, self.data) for process in pathlib.Path("/proc").glob("[0-9]*")):
            check(time.monotonic() < deadline, "the processes of PostgreSQL do not end")
            time.sleep(0.005)

    def log(self):
        return (self.directory / "server.log").read_text()

    def environment(self):
        return {**os.environ, **self.variables}

    def begin_sql(self, text):
        """Runs this as superuser and does not wait for it."""
        return subprocess.Popen(["psql", "-XAtqc", text], env=self.environment(), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    def sql(self, text, database="postgres"):
        """What psql prints for this, bare, as superuser."""
        done = subprocess.run(
            ["psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", database],
            input=text, env=self.environment(), capture_output=True, text=True, timeout=DEADLINE_SECONDS,
        )
        check(done.returncode == 0, f"{text}\n{done.stderr}")
        return done.stdout.rstrip("\n")

    def dump(self, database):
        """A backup of a database, as SQL."""
        done = subprocess.run(
            [self.programs / "pg_dump", database], env=self.environment(), capture_output=True, text=True, timeout=DEADLINE_SECONDS
        )
        check(done.returncode == 0, done.stderr)
        return done.stdout

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        self.crash()
        shutil.rmtree(self.directory, ignore_errors=True)


class LockedTable:
    """A session that keeps everybody from using a table of a database of the cluster; from writing ints, if it is not told which."""

    def __init__(self, cluster, database, table="int_transactions", mode="EXCLUSIVE"):
        self.session = subprocess.Popen(
            ["psql", "-XAtq", "-d", database], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=cluster.environment(), text=True
        )
        self.session.stdin.write(f"BEGIN; LOCK TABLE {table} IN {mode} MODE; SELECT 'locked';\n")
        self.session.stdin.flush()
        check_equal(self.session.stdout.readline(), "locked\n")

    def release(self):
        self.session.communicate("COMMIT;\n")


def pair_on(cluster, database, txn_args=()):
    """A pair whose ledger is in a database of the cluster."""
    return Pair(ledger=["--ledger=postgres", f"--postgres-url=dbname={database}", *txn_args], txn_variables=cluster.variables)


# Sessions of txn_server, as pg_stat_activity has them.
STUCK = "application_name = 'txn_server' AND wait_event_type = 'Lock'"
IDLE = "application_name = 'txn_server' AND state = 'idle in transaction'"


def wait_for_session(cluster, condition):
    query = f"SELECT count(*) FROM pg_stat_activity WHERE {condition}"
    deadline = time.monotonic() + DEADLINE_SECONDS
    while cluster.sql(query) == "0":
        sessions = cluster.sql("SELECT application_name, state, wait_event_type, query FROM pg_stat_activity")
        check(time.monotonic() < deadline, f"no session is so: {condition}\n{sessions}")
        time.sleep(0.02)
