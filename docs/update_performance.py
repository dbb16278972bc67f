#!/usr/bin/env python3
"""Puts the results of a benchmark into docs/performance.md.

Usage: update_performance.py DIRECTORY

DIRECTORY is where bench/run.py has left results.md and results.svg, from a run in which no row is missing. The text between
the lines "<!-- begin results -->" and "<!-- end results -->" is replaced, and the chart becomes docs/performance.svg.
"""

import json
import pathlib
import re
import shutil
import sys

PAGE = pathlib.Path(__file__).resolve().parent / "performance.md"
sys.path.insert(0, str(PAGE.parents[1] / "bench"))

from table import ROWS  # noqa: E402

LEAST_ROUNDS = 5


def main(arguments):
    if len(arguments) != 1:
        print(__doc__, file=sys.stderr)
        return 2
    directory = pathlib.Path(arguments[0])
    rows = json.loads((directory / "results.json").read_text())
    missing = [row["name"] for row in rows if row["ratio"] is None]
    about = json.loads((directory / "environment.json").read_text())
    if len(rows) < len(ROWS) or about["rounds"] < LEAST_ROUNDS:
        print(f"{directory} has {len(rows)} rows of {about['rounds']} rounds: run the whole benchmark", file=sys.stderr)
        return 1
    if missing:
        print(f"{directory} has no result for {', '.join(missing)}: run the benchmark with all peers", file=sys.stderr)
        return 1
    results = (directory / "results.md").read_text()
    chart = "![How far each row is of its target](performance.svg)"
    text = f"<!-- begin results -->\n\n{results}\n{chart}\n\n<!-- end results -->"
    page = PAGE.read_text()
    PAGE.write_text(re.sub(r"<!-- begin results -->.*<!-- end results -->", lambda _: text, page, flags=re.DOTALL))
    shutil.copy(directory / "results.svg", PAGE.with_suffix(".svg"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
