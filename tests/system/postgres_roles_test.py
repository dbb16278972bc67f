"""The roles that sql/roles makes have rights on all that is kvs's, and on nothing else that lives in the same schema.

What is kvs's is read from the catalogue, so a table that a migration adds must be in the scripts."""

import os
import subprocess

from pair import BIN, DEADLINE_SECONDS, SOURCE, check, check_equal
from postgres import Cluster

OTHERS = "('my_customers', 'my_customers_id_seq', 'my_orders', 'my_orders_id_seq')"
KINDS = {"r": "TABLE", "v": "VIEW", "S": "SEQUENCE"}
EVERY_RIGHT = ["SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER"]


def relations(cluster, condition):
    """(name, kind) of each table, view and sequence of the schema."""
    rows = cluster.sql(
        "SELECT relname, relkind FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        f" AND relkind IN ('r', 'v', 'S') AND relname {condition} ORDER BY 1", "kvs"
    )
    return [tuple(row.split("|")) for row in rows.splitlines()]


def rights(cluster, role, name, kind):
    function, every = ("has_sequence_privilege", ["USAGE", "SELECT", "UPDATE"]) if kind == "S" else ("has_table_privilege", EVERY_RIGHT)
    held = ", ".join(f"{function}('{role}', '{name}', '{right}')" for right in every)
    return [right for right, has in zip(every, cluster.sql(f"SELECT {held}", "kvs").split("|"), strict=True) if has == "t"]


def rights_of_writer(name, kind):
    if kind == "S":
        return ["USAGE"]
    return ["SELECT"] if kind == "v" or name == "schema_migrations" else ["SELECT", "INSERT", "UPDATE", "DELETE"]


def rights_of_analyst(_, kind):
    return [] if kind == "S" else ["SELECT"]


def run_script(cluster, role, script):
    done = subprocess.run(
        ["psql", "-X", "-d", "kvs", f"--variable=role={role}", "-f", SOURCE / "sql" / "roles" / script],
        env=cluster.environment(), capture_output=True, text=True, timeout=DEADLINE_SECONDS,
    )
    check(done.returncode == 0, done.stderr)


def make_another_table(cluster, name):
    cluster.sql(f"SET ROLE kvs_owner; CREATE TABLE {name} (id serial)", "kvs")


def check_rights(cluster):
    own = relations(cluster, f"NOT IN {OTHERS}")
    check(len(own) > 20, f"too few: {own}")
    others = relations(cluster, f"IN {OTHERS}")
    check_equal(len(others), 4)
    for role, expected in (("kvs", rights_of_writer), ("analyst", rights_of_analyst)):
        for name, kind in others:
            check_equal((role, KINDS[kind], name, rights(cluster, role, name, kind)), (role, KINDS[kind], name, []))
        for name, kind in own:
            check_equal((role, KINDS[kind], name, rights(cluster, role, name, kind)), (role, KINDS[kind], name, expected(name, kind)))


with Cluster() as cluster:
    cluster.sql("CREATE ROLE kvs_owner; CREATE ROLE kvs; CREATE DATABASE kvs OWNER kvs_owner")
    make_another_table(cluster, "my_customers")
    migrate = [BIN / "txn_server", "migrate", "--postgres-url=dbname=kvs options='-c role=kvs_owner'"]
    subprocess.run(migrate, env={**os.environ, **cluster.variables}, check=True, timeout=DEADLINE_SECONDS)
    for _ in range(2):
        run_script(cluster, "kvs", "writer.sql")
        run_script(cluster, "analyst", "analyst.sql")
    make_another_table(cluster, "my_orders")
    check_rights(cluster)
