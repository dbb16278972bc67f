"""docs/sql-cookbook.md tells the truth: its commands make its demo data, and each of its queries prints what the page shows.

Blocks marked `console` are run in the order of the page; the prompt names who types. Blocks marked `sql` are given to psql by the
role that the page makes for analysts, and the block marked `text` after each is the output. A comment above an `sql` block may name
the revision whose time is meant in it. With --update the page is rewritten with what is printed now."""

import re
import subprocess
import time

from page import Page, commands
from pair import BIN, DEADLINE_SECONDS, SANITIZERS, SOURCE, Pair, check, check_equal, run
from postgres import Cluster, find_programs

PAGE = SOURCE / "docs" / "sql-cookbook.md"
DATABASE = "kvs"
PASSWORD = "a'b c\\d"

TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d(\.\d+)?)?(\+00)?")
VARYING = [
    (TIMESTAMP, "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?"), "TIME"),
    # The width of a column is that of its widest value.
    (re.compile(r" +"), " "),
    (re.compile(r"-{2,}"), "-"),
    (re.compile(r" +$", re.MULTILINE), ""),
]


def without_trailing_blanks(text):
    return "\n".join(line.rstrip() for line in text.rstrip("\n").splitlines())


class Shell:
    """Each prompt is a person with a certificate, or a role of the database."""

    def __init__(self, pair, cluster, folder):
        self.pair = pair
        self.cluster = cluster
        self.folder = folder

    def certificates(self, person):
        run(["sh", "-c", f"rm -f '{self.pair.certs}'/client.*"])
        run([BIN / "kvs", "certs", "init", self.pair.certs, "--name", person])
        for kind in ("crt", "key"):
            (self.pair.certs / f"client.{kind}").rename(self.folder / f"{person}.{kind}")

    def environment(self, who):
        certificate = self.folder / f"{who}.crt"
        if who not in ("postgres", "analyst") and not certificate.exists():
            self.certificates(who)
        return {
            "PATH": f"{BIN}:{find_programs()}:/usr/bin:/bin",
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            **SANITIZERS,
            **self.cluster.variables,
            "PGUSER": who,
            "PGPASSWORD": PASSWORD,
            "PGTZ": "UTC",
            "KVS_ADDRESS": f"localhost:{self.pair.kvs_port}",
            "KVS_CA": str(self.pair.certs / "ca.crt"),
            "KVS_CERT": str(certificate),
            "KVS_KEY": str(self.folder / f"{who}.key"),
        }

    def run(self, who, command):
        done = subprocess.run(
            ["bash", "-c", command], cwd=SOURCE, env=self.environment(who),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_SECONDS,
        )
        return without_trailing_blanks(done.stdout)

    def query(self, sql):
        done = subprocess.run(
            ["psql", "-X", "-d", DATABASE], input=sql, env=self.environment("analyst"),
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=DEADLINE_SECONDS,
        )
        return without_trailing_blanks(done.stdout)


def wait_until_expired(shell, revision):
    """Until the expiry that the page speaks of is in the ledger."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while shell.cluster.sql(f"SELECT operation FROM history WHERE revision = {revision}", DATABASE) != "expire":
        check(time.monotonic() < deadline, f"revision {revision} is no expiry")


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


def with_times(shell, block):
    """The SQL of a block with the time of this run."""
    sql = "\n".join(block.lines)
    named = re.match(r"<!-- the time of revision (\d+) -->", block.line_above)
    if not named:
        return sql
    time = shell.cluster.sql(f"SET timezone = 'UTC'; SELECT time FROM history WHERE revision = {named.group(1)}", DATABASE)
    check(TIMESTAMP.search(sql), f"no time to replace in:\n{sql}")
    return TIMESTAMP.sub(time, sql)


def run_page(shell, page):
    sql = None
    for block in page.blocks("console", "sql", "text"):
        if block.language == "console":
            for who, command, expected in commands(block.lines, r"(\w+)\$ "):
                page.show([f"{who}$ {command}"], expected, shell.run(who, command))
                if "--ttl 1ms" in command:
                    wait_until_expired(shell, 28)
                if "analyst.sql" in command:
                    shell.cluster.sql(f"ALTER ROLE analyst PASSWORD {quoted(PASSWORD)}")
        elif block.language == "sql":
            check(sql is None, f"no output is shown for:\n{sql}")
            sql = with_times(shell, block)
            block.lines = sql.splitlines()
        else:
            page.show([], "\n".join(block.lines), shell.query(sql))
            sql = None


def check_rights(shell):
    """The role reads every relation and changes none, in spite of all that a session can set."""
    relations = shell.cluster.sql(
        "SELECT oid::regclass FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'v')", DATABASE
    ).split()
    check(len(relations) > 15, f"too few: {relations}")
    answer = shell.query("".join(f"TABLE {relation} LIMIT 1;" for relation in relations))
    check("ERROR" not in answer, answer)
    changes = ["CREATE TABLE mine ()", "UPDATE ledger SET epoch = 9", "SELECT FROM ledger FOR UPDATE", "CREATE ROLE other",
               "INSERT INTO ledger DEFAULT VALUES", "COPY ledger FROM '/dev/null'", "CREATE SCHEMA mine", "CREATE TEMPORARY TABLE mine ()"]
    for relation in relations:
        changes += [f"DELETE FROM {relation}", f"TRUNCATE {relation}", f"DROP TABLE {relation}"]
        changes += [f"DO 'BEGIN LOCK TABLE {relation} IN SHARE MODE; END'"]
    answer = shell.query("SET default_transaction_read_only = off;" + ";\n".join(changes) + ";")
    check_equal(len(re.findall("^ERROR: .*(denied|must be|cannot|is not)", answer, re.MULTILINE)), len(changes))


def check_calls(shell):
    """A value is put together for each row that is shown, and for none that a LIMIT leaves out."""
    for kind, key in (("string", "banner"), ("set", "customers:vip"), ("map", "order:1002")):
        answer = shell.cluster.sql(
            "BEGIN; SET LOCAL track_functions = 'all';"
            f"SELECT old_value, new_value FROM history WHERE type = '{kind}' AND key = '{key}' ORDER BY revision DESC LIMIT 1;"
            f"SELECT calls FROM pg_stat_xact_user_functions WHERE funcname = '{kind}_value_at'; COMMIT", DATABASE
        )
        check_equal((kind, answer.splitlines()[-1]), (kind, "2"))


with Cluster() as cluster:
    cluster.sql(f"CREATE ROLE kvs LOGIN PASSWORD {quoted(PASSWORD)}")
    cluster.sql(f"CREATE DATABASE {DATABASE} OWNER kvs")
    variables = {**cluster.variables, "PGUSER": "kvs", "PGPASSWORD": PASSWORD}
    ledger = ["--ledger=postgres", f"--postgres-url=dbname={DATABASE}", "--retention=full"]
    with Pair(ledger=ledger, txn_variables=variables) as pair:
        pair.start()
        shell = Shell(pair, cluster, pair.directory)
        page = Page(PAGE, VARYING)
        run_page(shell, page)
        check_rights(shell)
        check_calls(shell)
        check_equal(PASSWORD in pair.txn.log(), False)
    page.finish()
