"""docs/cli.md and docs/operations.md tell the truth: every command in them is run against a real pair and must print what the page
shows.

Blocks marked `console` are sessions: lines after "$ " are commands, the others their output. They are run in the order of the
page, in a folder with the .kvs that `make run` keeps. What differs from run to run (ports, paths, times, ids) is compared as
equal. With --update the page is rewritten with what the commands print now."""

import pathlib
import re
import subprocess
import tempfile

from page import Page, commands
from pair import BIN, SANITIZERS, SOURCE, Pair

PAGES = [SOURCE / "docs" / "cli.md", SOURCE / "docs" / "operations.md"]
FOLDER = "/home/alice/shop"

VARYING = [
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "TIME"),
    (re.compile(r"\d{4}-\d\d-\d\d"), "DAY"),
    (re.compile(r"\b(\d+[hms])+ ago"), "AGO"),
    (re.compile(r"\b(\d+h)?\d+m\d+(\.\d+)?s, until"), "LEFT, until"),
    (re.compile(r"\b[0-9a-f]{32}\b"), "ID"),
    (re.compile(r"spiffe://kvs/client/[\w.-]+"), "CLIENT"),
    (re.compile(r"\b\d+\.\d+\.\d+(?!\.)\b"), "VERSION"),
    (re.compile(r"0000000\d+\.log at \d+"), "FRAME"),
    (re.compile(r'"startTime":"[^"]*"'), "START"),
    (re.compile(r"\b\d+ bytes\b"), "SIZE"),
    (re.compile(r"\b\d+ of them written\b"), "WRITTEN"),
    (re.compile(r'"bytesCopied":"\d+"'), "WRITTEN"),
    # What localhost is besides 127.0.0.1, on machines with IPv6.
    (re.compile(r"\[::1\]:\d+(: Connection refused)?, "), ""),
]


class Session:
    """A shell in the folder of a user."""

    def __init__(self, pair, folder):
        self.pair = pair
        self.folder = pathlib.Path(folder).resolve()
        self.status = 0
        kvs = self.folder / ".kvs"
        kvs.mkdir()
        (kvs / "certs").symlink_to(pair.certs)
        (kvs / "data").symlink_to(pair.data)
        (kvs / "address").write_text(f"localhost:{pair.kvs_port}\n")
        self.environment = {"PATH": f"{BIN}:/usr/bin:/bin", "HOME": str(self.folder), "LANG": "C.UTF-8", **SANITIZERS}

    def run(self, command):
        """What the command prints, as the page shows it."""
        actual = command.replace("localhost:5051", f"localhost:{self.pair.txn_port}")
        done = subprocess.run(
            ["bash", "-c", f"(exit {self.status}); {actual}"],
            cwd=self.folder, env=self.environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
        )
        self.status = done.returncode
        text = done.stdout.replace(str(self.folder), FOLDER)
        text = re.sub(rf"\b{self.pair.kvs_port}\b", "5050", text)
        return re.sub(rf"\b{self.pair.txn_port}\b", "5051", text)


def test(path):
    with Pair() as pair, tempfile.TemporaryDirectory(prefix="kvs-doc-") as folder:
        pair.start()
        session = Session(pair, folder)
        page = Page(path, VARYING)
        for block in page.blocks("console"):
            for command, expected in commands(block.lines):
                page.show([f"$ {command}"], expected, session.run(command))
        page.finish()


for page_path in PAGES:
    test(page_path)
