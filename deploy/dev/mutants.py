#!/usr/bin/env python3
"""Breaks the programs on purpose, one promise at a time, and checks that a test notices each. Usage: mutants.py [NAME ...]

Each tests/mutants/NAME.patch begins with lines that say what it breaks and who has to notice:

  Breaks:  the promise, for people
  Program: a test program, such as txn_server_test, which is built with the patch
  Test:    the name of one of its tests
  Fails:   a regular expression that the text of the failing assertion has to match

The work is done in build/mutants on a copy of the working tree. First every named test has to pass there. Then each
patch is applied, its program built, and its test run: the mutant is caught if an assertion fails and says what Fails
expects. It is not if the test passes, crashes, or takes too long. A patch that does not apply, or does not compile, is
a failure as well. Prints what caught each mutant; exit status 1 if one was not.
"""

import argparse
import dataclasses
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATCHES = ROOT / "tests/mutants"
TREE = ROOT / "build/mutants/tree"
TEST_SECONDS = 300
BUILD_SECONDS = 1800


class Problem(Exception):
    """Why a mutant does not count as caught."""


@dataclasses.dataclass(frozen=True)
class Mutant:
    name: str
    breaks: str
    program: str
    test: str
    fails: str

    @property
    def patch(self):
        return PATCHES / f"{self.name}.patch"


def read_mutant(path):
    header = path.read_text().split("\ndiff ", 1)[0]
    fields = dict(re.findall(r"^(Breaks|Program|Test|Fails): +(.*)$", header, re.MULTILINE))
    try:
        return Mutant(path.stem, fields["Breaks"], fields["Program"], fields["Test"], fields["Fails"])
    except KeyError as missing:
        sys.exit(f"{path} has no line {missing.args[0]}:")


def run(command, **options):
    return subprocess.run(command, capture_output=True, text=True, errors="replace", **options)


def copy_tree():
    """Makes TREE what the working tree is, and touches only what differs, so that little is compiled again."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"], cwd=ROOT).stdout
    wanted = {path for path in listed.split("\0") if path and (ROOT / path).is_file()}
    if TREE.exists():
        kept = run(["find", ".", "-path", "./build", "-prune", "-o", "-type", "f", "-print0"], cwd=TREE).stdout
        for path in kept.split("\0"):
            if path and path.removeprefix("./") not in wanted:
                (TREE / path).unlink()
    for path in wanted:
        source, target = ROOT / path, TREE / path
        if target.is_file() and target.read_bytes() == source.read_bytes():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(source.read_bytes())
        target.chmod(source.stat().st_mode)


def apply_patch(mutant, *options):
    # Not a repository of its own: git must not look for one around it.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(TREE.parent)}
    result = run(["git", "apply", *options, str(mutant.patch)], cwd=TREE, env=environment)
    if result.returncode != 0:
        raise Problem(f"the patch does not apply: {result.stderr.strip()}")


def build(programs):
    configured = TREE / "build/release/build.ninja"
    if not configured.exists():
        result = run(["cmake", "--preset", "release", "-DBUILD_TESTING=ON"], cwd=TREE)
        if result.returncode != 0:
            sys.exit(result.stdout + result.stderr)
    try:
        result = run(["deploy/dev/build.sh", "release", *programs], cwd=TREE, timeout=BUILD_SECONDS)
    except subprocess.TimeoutExpired:
        raise Problem("the build took too long") from None
    if result.returncode != 0:
        raise Problem(f"it does not compile:\n{result.stdout[-3000:]}{result.stderr[-1000:]}")


def run_test(mutant):
    """The exit status and the output of its test."""
    # Commas and brackets separate and group tests for Catch2.
    name = re.sub(r"([\\,\[\]])", r"\\\1", mutant.test)
    command = [f"build/release/bin/{mutant.program}", name, "--durations", "no"]
    try:
        result = run(command, cwd=TREE, timeout=TEST_SECONDS)
    except subprocess.TimeoutExpired:
        raise Problem(f"the test took more than {TEST_SECONDS} s") from None
    output = result.stdout + result.stderr
    if "No test cases matched" in output or "No tests ran" in output:
        raise Problem("there is no such test")
    return result.returncode, output


def failed_assertions(output):
    """The text of each: the assertion, what it was expanded to, and the messages with it."""
    return re.findall(r"^\S+:\d+: FAILED:\n(.*?)(?=^-{20,}$|^={20,}$|^\S+:\d+: FAILED:|\Z)", output, re.MULTILINE | re.DOTALL)


def check_unpatched(mutants):
    build(sorted({mutant.program for mutant in mutants}))
    for mutant in mutants:
        status, output = run_test(mutant)
        if status != 0:
            raise Problem(f"without the patch of {mutant.name} the test fails:\n{output[-3000:]}")


def catch(mutant):
    """Returns the assertion that caught it."""
    apply_patch(mutant)
    try:
        build([mutant.program])
        status, output = run_test(mutant)
    finally:
        apply_patch(mutant, "--reverse")
    if status == 0:
        raise Problem("it survived: the test passes")
    if status < 0 or "fatal error condition" in output:
        raise Problem(f"the test crashed:\n{output[-3000:]}")
    texts = failed_assertions(output)
    for text in texts:
        if "unexpected exception" not in text and re.search(mutant.fails, text, re.DOTALL):
            return " ".join(text.split())[:200]
    raise Problem(f"the test fails, but no assertion says \"{mutant.fails}\":\n" + ("\n".join(texts) or output)[-3000:])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help="mutants to try; all if none is named")
    names = parser.parse_args().names
    mutants = [read_mutant(PATCHES / f"{name}.patch") for name in names] or list(
        map(read_mutant, sorted(PATCHES.glob("*.patch"))))
    begin = time.monotonic()
    copy_tree()
    try:
        check_unpatched(mutants)
    except Problem as problem:
        sys.exit(str(problem))
    print(f"without a patch the tests of all mutants pass, after {time.monotonic() - begin:.0f} s", flush=True)
    survivors = []
    # Those of one program together, so that the others are not linked again in between.
    for mutant in sorted(mutants, key=lambda each: (each.program, each.name)):
        began = time.monotonic()
        try:
            assertion = catch(mutant)
            print(f"{mutant.name}: caught by \"{mutant.test}\" ({mutant.program}), {time.monotonic() - began:.0f} s: "
                  f"{assertion}", flush=True)
        except Problem as problem:
            survivors.append(mutant.name)
            print(f"{mutant.name}: NOT CAUGHT, {time.monotonic() - began:.0f} s: {problem}", flush=True)
    print(f"Mutants: {len(mutants) - len(survivors)} caught, {len(survivors)} not caught, "
          f"after {time.monotonic() - begin:.0f} s")
    if survivors:
        sys.exit("Not caught: " + ", ".join(survivors))


main()
