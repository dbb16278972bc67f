#!/usr/bin/env python3
"""Writes what the servers say about their settings into docs/configuration.md.

Usage: update_configuration.py [--check] BIN

BIN is the directory with kvs_server and txn_server. The text between the lines "<!-- begin PROGRAM -->" and
"<!-- end PROGRAM -->" is replaced by the output of PROGRAM --help-markdown. With --check nothing is written; the exit
code is 1 and the difference is printed if the page is not current.
"""

import difflib
import pathlib
import re
import subprocess
import sys

PAGE = pathlib.Path(__file__).resolve().parent / "configuration.md"


def current(page, bin_dir):
    def replace(match):
        reference = subprocess.run(
            [bin_dir / match["program"], "--help-markdown"], check=True, stdout=subprocess.PIPE, text=True
        ).stdout
        return f"{match['begin']}\n\n{reference}\n{match['end']}"

    return re.sub(
        r"(?P<begin><!-- begin (?P<program>\w+) -->)\n.*?(?P<end><!-- end (?P=program) -->)", replace, page, flags=re.DOTALL
    )


def main(arguments):
    check = "--check" in arguments
    paths = [argument for argument in arguments if argument != "--check"]
    if len(paths) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    old = PAGE.read_text()
    new = current(old, pathlib.Path(paths[0]))
    if not check:
        PAGE.write_text(new)
        return 0
    sys.stdout.writelines(difflib.unified_diff(old.splitlines(True), new.splitlines(True), str(PAGE), "what the servers say"))
    if new != old:
        print(f"\n{PAGE.name} is not current: run {pathlib.Path(__file__).name} {paths[0]}")
    return int(new != old)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
