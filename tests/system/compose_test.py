"""docker-compose.yaml, brought up for real: the image is built, values outlive kills and a new start, no secret shows.

Takes minutes, since the image compiles everything. Skipped where there is no Docker engine with Compose, or no grpcurl.
KVS_BASE_IMAGE and KVS_POSTGRES_IMAGE choose the base images; otherwise see stand_in_images.py."""

import json
import os
import pathlib
import re
import socket
import subprocess
import sys
import tempfile

import stand_in_images
from pair import SOURCE, check, check_equal, run

SKIPPED = 77
IMAGE = "kvs-test/kvs"
BUILD_SECONDS = 3000
UP_SECONDS = 300


def skip(why):
    print(f"Skipped: {why}")
    sys.exit(SKIPPED)


def default_of(variable):
    """What docker-compose.yaml takes where the variable is not set."""
    return re.search(rf"\$\{{{variable}:-([^}}]*)\}}", (SOURCE / "docker-compose.yaml").read_text()).group(1)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def find_grpcurl():
    found = subprocess.run([SOURCE / "deploy" / "dev" / "grpcurl.sh", "install"], stdout=subprocess.PIPE, text=True, check=False)
    if found.returncode != 0:
        skip("there is no grpcurl")
    return found.stdout.strip()


def base_images():
    try:
        return {
            "KVS_BASE_IMAGE": os.environ.get("KVS_BASE_IMAGE") or stand_in_images.debian(default_of("KVS_BASE_IMAGE")),
            "KVS_POSTGRES_IMAGE": os.environ.get("KVS_POSTGRES_IMAGE")
            or stand_in_images.postgres(default_of("KVS_POSTGRES_IMAGE")),
        }
    except stand_in_images.Unavailable as why:
        skip(why)


class Project:
    """The services under a name and on a port of their own. Leaves nothing behind but the images."""

    def __init__(self, name, images, profile=None, **settings):
        self.name = f"kvs-test-{name}-{os.getpid()}"
        self.profile = ["--profile", profile] if profile else []
        self.port = free_port()
        own = ("KVS_", "COMPOSE_", "DOCKER_DEFAULT_PLATFORM")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(own)}
        self.environment.update(images, KVS_IMAGE=IMAGE, KVS_PORT=str(self.port), **settings)

    def compose(self, *args, timeout=UP_SECONDS, is_ok=True):
        """Runs docker compose and returns what it prints on standard output."""
        done = subprocess.run(
            ["docker", "compose", "--project-name", self.name, *self.profile, *args],
            cwd=SOURCE, env=self.environment, capture_output=True, text=True, timeout=timeout, check=False,
        )
        check((done.returncode == 0) == is_ok, f"{' '.join(args)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
        return done.stdout

    def up(self):
        self.compose("up", "--detach", "--no-build")

    def down(self):
        """Keeps the named volumes, as a user does, and removes the unnamed ones that only the engine knows of then."""
        mounts = [m for c in self.inspect() for m in c["Mounts"] if m["Type"] == "volume"]
        self.compose("down")
        for name in {m["Name"] for m in mounts if not m["Name"].startswith(self.name)}:
            run(["docker", "volume", "rm", name])

    def inspect(self):
        return json.loads(run(["docker", "inspect", *self.containers()]).stdout)

    def kvs(self, *args):
        return self.compose("exec", "-T", "kvs", "kvs", *args).strip()

    def containers(self):
        return self.compose("ps", "--all", "--quiet").split()

    def everything_shown(self):
        """What a user of the engine sees without entering a container: settings, processes and logs."""
        shown = [run(["docker", "inspect", *self.containers()]).stdout, self.compose("logs", "--no-color")]
        shown += [run(["docker", "top", c, "-eo", "pid,args"]).stdout for c in self.compose("ps", "--quiet").split()]
        return "\n".join(shown)

    def __enter__(self):
        return self

    def __exit__(self, kind, error, trace):
        if error:
            print(f"---- logs of {self.name} ----\n{self.compose('logs', '--no-color')}", file=sys.stderr)
        self.compose("--profile", "*", "down", "--volumes", "--remove-orphans", "--timeout", "1")


def read_secret(project, name):
    return project.compose("exec", "-T", "kvs", "cat", f"/etc/kvs/{name}").strip()


def call_from_host(project, grpcurl, key):
    """What the README does: the CA's certificate from the container, and grpcurl."""
    with tempfile.TemporaryDirectory(prefix="kvs-compose-") as folder:
        ca = pathlib.Path(folder, "kvs-ca.crt")
        project.compose("cp", "kvs:/etc/kvs/certs/ca.crt", str(ca))
        address = f"localhost:{project.port}"
        done = run([grpcurl, "-cacert", ca, "-d", json.dumps({"key": key}), address, "kvs.v1.IntStore/Get"])
    return json.loads(done.stdout)["value"]


def check_usage(project, *words):
    shown = project.compose("logs", "--no-color", "--no-log-prefix", "usage")
    for word in (f"kvs serves on localhost:{project.port}", *words):
        check(word in shown, f"{word!r} is missing in:\n{shown}")


def check_confinement(project):
    """Neither root, nor a file system to write to, nor compilers, nor a port for others."""
    for service in ("kvs", "txn"):
        inside = lambda *args: project.compose("exec", "-T", service, *args)
        check_equal(inside("id", "-u").strip(), "10001")
        for path in ("/usr/local/bin/x", "/var/lib/kvs/x", "/etc/kvs/x", "/tmp/x"):
            project.compose("exec", "-T", service, "touch", path, is_ok=False)
        check_equal(inside("sh", "-c", "command -v cc gcc g++ clang ld cmake || true").strip(), "")
    check_equal(project.compose("port", "kvs", "5050").strip(), f"127.0.0.1:{project.port}")
    published = [p for c in project.inspect() for p in c["NetworkSettings"]["Ports"].values() if p]
    check_equal(len(published), 1)


def test_values_outlive_kills_and_a_new_start(images, grpcurl):
    with Project("postgres", images) as project:
        project.up()
        check_usage(project, "docker compose exec kvs", "grpcurl", "psql")
        check_equal(project.kvs("put", "int", "visits", "41"), "stored, revision 1")
        check_equal(project.kvs("incr", "int", "visits"), "42")
        check_equal(call_from_host(project, grpcurl, "visits"), "42")
        rows = project.compose("exec", "-T", "postgres", "psql", "-AtF ", "-c", "SELECT revision, key, new_value FROM history")
        check_equal(rows.splitlines(), ["1 visits 41", "2 visits 42"])
        check_confinement(project)

        secrets = {name: read_secret(project, name) for name in ("postgres-password", "pgpass", "certs/ca.crt", "certs/kvs.crt")}
        password = secrets["postgres-password"]
        check(len(password) >= 32, "the password is too short")
        check(password not in project.everything_shown(), "the password of the database can be seen")

        project.compose("kill", "--signal", "KILL")
        project.up()
        check_equal(project.kvs("get", "int", "visits"), "42")
        project.down()
        check_equal(project.containers(), [])
        project.up()
        check_equal(project.kvs("get", "int", "visits"), "42")
        check_equal(project.kvs("incr", "int", "visits"), "43")
        check_equal({name: read_secret(project, name) for name in secrets}, secrets)


def test_given_password_wins_and_stays_unseen(images, grpcurl):
    given = r"it's:a\secret $1"
    with Project("given", images, KVS_POSTGRES_PASSWORD=given) as project:
        project.up()
        check_equal(project.kvs("put", "int", "visits", "1"), "stored, revision 1")
        check_equal(read_secret(project, "postgres-password"), given)
        shown = project.everything_shown()
        check(given not in shown and json.dumps(given)[1:-1] not in shown, "the password of the database can be seen")


def test_file_profile_needs_no_postgres(images, grpcurl):
    without = {**images, "KVS_POSTGRES_IMAGE": "kvs-test/there-is-no-such-image"}
    with Project("file", without, profile="file") as project:
        project.up()
        check_usage(project, "without PostgreSQL")
        services = project.compose("ps", "--all", "--services").split()
        check_equal(sorted(services), ["init", "kvs", "ledger-ready", "txn-file", "usage"])
        check_equal(project.kvs("put", "int", "visits", "41"), "stored, revision 1")
        check_equal(call_from_host(project, grpcurl, "visits"), "41")
        project.compose("kill", "--signal", "KILL")
        project.down()
        project.up()
        check_equal(project.kvs("get", "int", "visits"), "41")


def main():
    if not stand_in_images.succeeds("docker", "info"):
        skip("there is no Docker engine here, or this user may not use it")
    if not stand_in_images.succeeds("docker", "compose", "version"):
        skip("docker has no Compose")
    grpcurl = find_grpcurl()
    images = base_images()
    print("building the image", flush=True)
    Project("build", images).compose("build", timeout=BUILD_SECONDS)
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            print(name, flush=True)
            test(images, grpcurl)
    print("ok")


main()
