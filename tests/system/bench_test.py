"""bench/run.py measures real servers and writes results of the form that it promises; it refuses what would make them worthless."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree

from pair import BIN, SOURCE, check, check_equal

# A row that needs no other program than those of this project.
ROW = "tls_cost"


def bench(out, *args, path=None):
    environment = {**os.environ, "PATH": path or os.environ["PATH"]}
    return subprocess.run(
        ["/usr/bin/python3", SOURCE / "bench" / "run.py", f"--bin={BIN}", f"--out={out}", "--rounds=2", "--seconds=1",
         "--keys=1000", *args],
        env=environment, capture_output=True, text=True, timeout=240,
    )


def test_results(out):
    for _ in range(2):
        done = bench(out, "--only", ROW)
        check(done.returncode == 0, done.stdout + done.stderr)
    (row,) = json.loads((out / "results.json").read_text())
    check_equal(row["name"], ROW)
    check_equal(row["unit"], "gets/s")
    check_equal(row["baseline"], "kvs_get")
    check_equal(row["target"], 0.85)
    check_equal(row["met"], min(row["ratio"], row["ratio_of_medians"]) >= 0.85)
    check_equal(len(row["ratios"]), 2)
    check(min(row["ratios"]) <= row["ratio"] <= max(row["ratios"]), "the ratio is not among those of the rounds")
    for prefix in ("", "baseline_"):
        check(0 < row[prefix + "p50_us"] <= row[prefix + "p99_us"] <= row[prefix + "p999_us"], "the percentiles have no order")
        cpu = row[prefix + "cpu_seconds_per_million"]
        check_equal(sorted(cpu), ["kvs_server", "load", "txn_server"])
        check(cpu["kvs_server"] > 0, "a server that took no time")
    check(row["value"] > 0 and row["baseline_value"] > 0, "nothing was measured")
    text = (out / "results.md").read_text()
    check(f"| `{ROW}` |" in text, text)
    check(" | +" in text or " | -" in text, "the second run is not compared with the first")
    xml.etree.ElementTree.parse(out / "results.svg")
    about = json.loads((out / "environment.json").read_text())
    check(about["processors"] > 0 and about["versions"]["kvs"].startswith("kvs "), str(about))
    check_equal(sorted(path.name for path in out.iterdir()), ["environment.json", "results.json", "results.md", "results.svg"])


def test_missing_peer(out, path):
    done = bench(out, "--only", "get_vs_etcd", path=path)
    check_equal(done.returncode, 1)
    check("etcd is missing etcd: install etcd-server" in done.stderr, done.stderr)
    check("--allow-missing leaves their rows out" in done.stderr, done.stderr)
    done = bench(out, "--only", "get_vs_etcd", "--allow-missing", path=path)
    check(done.returncode == 0, done.stderr)
    (row,) = json.loads((out / "results.json").read_text())
    check_equal((row["name"], row["value"], row["ratio"], row["met"]), ("get_vs_etcd", None, None, None))


def test_refusals(out):
    done = bench(out, "--only", "nothing_of_this_name")
    check_equal(done.returncode, 1)
    check("no row has the name nothing_of_this_name, or one with that in it: unary_get, " in done.stderr, done.stderr)
    check_equal(bench(out, "--only", ROW, "--only", "nothing_of_this_name").returncode, 1)
    done = bench(out, "--only", ROW, "--rounds=0")
    check_equal(done.returncode, 2)
    check("0 is not above 0" in done.stderr, done.stderr)
    out.mkdir()
    (out / "results.json").write_text('[{"name": "una')
    done = bench(out, "--only", ROW)
    check_equal(done.returncode, 1)
    check("results.json is damaged" in done.stderr, done.stderr)
    (out / "results.json").unlink()
    if shutil.disk_usage("/dev/shm").total > 0 and "tmpfs /dev/shm tmpfs" in pathlib.Path("/proc/mounts").read_text():
        done = bench(out, "--only", ROW, "--dir", "/dev/shm")
        check_equal(done.returncode, 1)
        check("is on tmpfs, where nothing is durable" in done.stderr, done.stderr)
        check(not list(pathlib.Path("/dev/shm").glob("data-*")), "data was left behind")


def main():
    directory = pathlib.Path(tempfile.mkdtemp(prefix="kvs-bench-", dir=BIN))
    try:
        (directory / "path").mkdir()
        test_results(directory / "out")
        test_missing_peer(directory / "missing", str(directory / "path"))
        test_refusals(directory / "refused")
    finally:
        shutil.rmtree(directory)


main()
