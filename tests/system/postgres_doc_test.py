"""docs/postgres.md tells the truth: its commands are run against a fresh PostgreSQL and must print what the page shows.

The prompt names the user: `postgres` administers the database, `kvs` runs the servers. A command that ends with " &" goes on running;
its output is what it logs until it listens. With --update the page is rewritten with what is printed now.

Passwords that the page uses must not be in any log, any list of processes, or anything that is printed."""

import os
import pathlib
import re
import subprocess
from urllib.parse import quote

from page import Page, commands
from pair import BIN, DEADLINE_SECONDS, SANITIZERS, SOURCE, Pair, check, check_equal, run
from postgres import Cluster, find_programs

PAGE = SOURCE / "docs" / "postgres.md"
PASSWORD = "pass:w'o\\rd%20 \N{OWL}"
FOLDER = "/etc/kvs"
SOCKETS = "/var/run/postgresql"

VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z"), "TIME"),
    (re.compile(r"the new ledger [0-9a-f]{32}"), "the new ledger ID"),
]

SETTINGS = """ledger = "postgres"
postgres-url = "postgresql://{name}@/{name}"
tls-ca = "certs/ca.crt"
tls-certificate = "certs/txn.crt"
tls-key = "certs/txn.key"
"""


class Shell:
    def __init__(self, cluster, folder):
        self.cluster = cluster
        self.folder = folder
        self.state = folder / "shell"
        self.status = 0
        self.running = []
        run([BIN / "kvs", "certs", "init", folder / "certs"])
        (folder / "sql").symlink_to(SOURCE / "sql")
        for name in ("shop", "kvs"):
            (folder / f"{name}.toml").write_text(SETTINGS.format(name=name))
        escaped = PASSWORD.replace("\\", "\\\\").replace(":", "\\:")
        (folder / ".pgpass").write_text(f"*:*:*:*:{escaped}\n")
        (folder / ".pgpass").chmod(0o600)

    def environment(self, who):
        variables = {
            "PATH": f"{BIN}:{find_programs()}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            **SANITIZERS,
            "PGHOST": self.cluster.variables["PGHOST"],
            "PGPASSFILE": str(self.folder / ".pgpass"),
            "TXN_SERVER_LISTEN": "127.0.0.1:0",
        }
        if who == "postgres":
            variables["PGUSER"] = "postgres"
        return variables

    def run(self, who, command):
        if command.endswith(" &"):
            return self.start(who, command)
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.status}); {command}"], cwd=self.folder, env=self.environment(who),
            # For createuser --pwprompt, which asks twice.
            input=f"{PASSWORD}\n{PASSWORD}\n", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=DEADLINE_SECONDS, start_new_session=True,
        )
        self.status = done.returncode
        return self.shown(done.stdout)

    def start(self, who, command):
        process = subprocess.Popen(
            ["bash", "-c", f"exec {command.removesuffix(' &')}"], cwd=self.folder, env=self.environment(who),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )
        self.running.append(process)
        output = ""
        for line in process.stdout:
            output += line
            if "listening" in line:
                break
        check_equal(process.poll(), None)
        self.check_process(process)
        return self.shown(output)

    def check_process(self, process):
        """Nobody who lists processes sees a password: neither the program's arguments nor the titles of PostgreSQL's sessions."""
        check(PASSWORD not in pathlib.Path(f"/proc/{process.pid}/cmdline").read_text(), "a password among the arguments")
        check(PASSWORD not in subprocess.run(["ps", "axww"], capture_output=True, text=True).stdout, "a password in ps")

    def shown(self, text):
        check(PASSWORD not in text, f"a password: {text}")
        text = text.replace(self.cluster.variables["PGHOST"], SOCKETS).replace(str(self.folder), FOLDER)
        text = re.sub(r"address=127.0.0.1:\d+", "address=127.0.0.1:5051", text)
        return "\n".join(line.rstrip() for line in text.rstrip("\n").splitlines())

    def stop(self):
        """Ends what goes on running, which must be well until then."""
        for process in self.running:
            process.terminate()
            output = process.communicate(timeout=DEADLINE_SECONDS)[0]
            check_equal(process.returncode, 0)
            check("ERROR" not in output and PASSWORD not in output, output)


def check_writer(cluster, folder):
    """The rights of sql/roles/writer.sql suffice for a pair with all types, deletes, snapshots and a restart, and no more."""
    variables = {"PGHOST": cluster.variables["PGHOST"], "PGPASSFILE": str(folder / ".pgpass")}
    ledger = ["--ledger=postgres", "--postgres-url=postgresql://kvs@/kvs", "--migrate=check", "--compaction-min-size=64KiB"]
    with Pair(ledger=ledger, txn_variables=variables) as pair:
        pair.start()
        for put in (["put", "int", "k", "1"], ["put", "uint", "k", "1"], ["put", "float", "k", "1"], ["put", "string", "k", "v"],
                    ["set", "add", "k", "m"], ["map", "put", "k", "f=v"], ["del", "all", "k"]):
            pair.cli(*put)
        for number in range(3):
            pair.cli("put", "string", "large", "x" * 60_000 + str(number))
        pair.txn.wait_for("made a snapshot")
        check_equal(pair.kvs.terminate(), 0)
        check_equal(pair.txn.terminate(), 0)
        pair.start()
        check_equal(pair.cli("keys").stdout, "string large\n")
        for process in (pair.txn, pair.kvs):
            check("WARN" not in process.log() and "ERROR" not in process.log(), process.log())
            check(PASSWORD not in process.log(), "a password in the log")
    for change in ("DROP TABLE int_keys", "CREATE TABLE mine ()", "TRUNCATE ledger", "DELETE FROM schema_migrations",
                   "ALTER TABLE ledger ADD extra int"):
        answer = subprocess.run(
            ["psql", "-XAt", "-d", "kvs", "-U", "kvs", "-c", change], env={**os.environ, **variables}, capture_output=True, text=True
        )
        check(re.search("denied|must be owner", answer.stderr), f"{change}: {answer.stderr}")


def check_settings_file(folder):
    """A start warns of a password that everybody can read."""
    path = folder / "exposed.toml"
    path.write_text(f'insecure = true\nledger = "postgres"\npostgres-url = "postgresql://kvs:{quote(PASSWORD)}@/kvs?host=/nowhere"\n')
    for mode, warns in ((0o644, True), (0o640, False)):
        path.chmod(mode)
        for command in (["txn_server"], ["txn_server", "migrate"]):
            done = subprocess.run([BIN / command[0], *command[1:], f"--config={path}"], capture_output=True, text=True, check=False)
            check_equal(done.returncode, 1)
            check_equal("every user of this machine can read the password" in done.stderr, warns)
            check(PASSWORD not in done.stderr and quote(PASSWORD) not in done.stderr, done.stderr)


with Cluster() as cluster:
    folder = cluster.directory / "home"
    folder.mkdir()
    shell = Shell(cluster, folder)
    page = Page(PAGE, VARYING)
    try:
        for block in page.blocks("console"):
            for who, command, expected in commands(block.lines, r"(\w+)\$ "):
                page.show([f"{who}$ {command}"], expected, shell.run(who, command))
    finally:
        shell.stop()
    check_writer(cluster, folder)
    check_settings_file(folder)
    check(PASSWORD not in cluster.log(), "a password in the log of PostgreSQL")
page.finish()
