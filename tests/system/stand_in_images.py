"""Base images for the test of docker-compose.yaml: those of the registry, or stand-ins where none can be reached.

A stand-in is made once and kept. That of Debian is what debootstrap makes, for which it takes root and an archive of Debian;
that of PostgreSQL is Debian's package in it."""

import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
SUITE = "trixie"
ARCHIVE = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"


class Unavailable(Exception):
    """There is no base image and no way to make one."""


def succeeds(*args):
    return subprocess.run(args, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0


def is_there(image):
    return succeeds("docker", "image", "inspect", image)


def is_available(image):
    return is_there(image) or succeeds("docker", "pull", "--quiet", image)


def apt_settings():
    """What the apt of this machine is told about the way to its archive, such as a proxy."""
    dump = subprocess.run(["apt-config", "dump"], capture_output=True, text=True, check=True).stdout
    wanted = re.compile(r'^Acquire::(https?::|Check-|Retries)\S* "[^"]+";$')
    return "".join(f"{line}\n" for line in dump.splitlines() if wanted.match(line))


def make_debian(image):
    if os.geteuid() != 0 or not shutil.which("debootstrap"):
        raise Unavailable(f"no registry has its base image, and to make {image} it takes root and debootstrap")
    print(f"making {image} with debootstrap", flush=True)
    with tempfile.TemporaryDirectory(prefix="kvs-debian-") as root:
        made = subprocess.run(["debootstrap", "--variant=minbase", SUITE, root, ARCHIVE], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            raise Unavailable(f"debootstrap failed: {made.stdout[-500:]}{made.stderr[-500:]}")
        apt = pathlib.Path(root, "etc", "apt")
        (apt / "sources.list").write_text(
            f"deb {ARCHIVE} {SUITE} main\ndeb {ARCHIVE} {SUITE}-updates main\ndeb {SECURITY} {SUITE}-security main\n"
        )
        (apt / "apt.conf.d" / "90host").write_text(apt_settings())
        tar = ["tar", "-C", root, "--one-file-system", "--exclude=./var/cache/apt/archives/*.deb", "-c", "."]
        with subprocess.Popen(tar, stdout=subprocess.PIPE) as packed:
            subprocess.run(["docker", "import", "-", image], stdin=packed.stdout, stdout=subprocess.DEVNULL, check=True)


def debian(image="debian:13-slim", stand_in="kvs-test/debian:13"):
    """An image of Debian 13."""
    if is_available(image):
        return image
    if not is_there(stand_in):
        make_debian(stand_in)
    return stand_in


def postgres(image, stand_in="kvs-test/postgres:17"):
    """The image that docker-compose.yaml names, or one that behaves as it does."""
    if is_available(image):
        return image
    if not is_there(stand_in):
        base = debian()
        print(f"making {stand_in} from {base}", flush=True)
        folder = str(HERE / "stand_in_postgres")
        build = ["docker", "build", "--quiet", "--tag", stand_in, "--build-arg", f"BASE_IMAGE={base}", folder]
        subprocess.run(build, stdout=subprocess.DEVNULL, check=True)
    return stand_in
