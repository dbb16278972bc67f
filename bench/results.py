"""From samples to the files of results: a table as JSON and as Markdown, and a chart."""

import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

from processes import Failure

ROOT = pathlib.Path(__file__).resolve().parents[1]
# Two runs that differ by more than this in a ratio are said to.
REPEATABLE = 0.15


def middle(samples, field="value"):
    found = [getattr(sample, field) for sample in samples if getattr(sample, field) is not None]
    return statistics.median(found) if found else None


def best(names, samples, row):
    choose = min if row.least else max
    return choose((name for name in names if name in samples), key=lambda name: middle(samples[name], row.field))


def cpu_of(samples):
    """By process, the median over the rounds."""
    names = {name for sample in samples for name in sample.cpu}
    return {name: round(statistics.median(s.cpu[name] for s in samples if name in s.cpu), 3) for name in sorted(names)}


def details(samples, prefix=""):
    found = {prefix + field: middle(samples, field) for field in ("p50_us", "p99_us", "p999_us")}
    return {**found, prefix + "cpu_seconds_per_million": cpu_of(samples)}


def ratio_of(row, value, baseline):
    return baseline / value if row.inverse else value / baseline


def missing(row):
    """A row of results.json that was not measured, since a peer is not installed."""
    nothing = dict.fromkeys(("value", "baseline", "baseline_value", "ratio", "ratio_of_medians", "met"))
    return {"name": row.name, "what": row.what, "unit": row.unit, "target": row.target, "at_most": row.at_most, **nothing}


def is_met(row, ratio):
    return ratio <= row.target if row.at_most else ratio >= row.target


def result(row, samples):
    """A row of results.json. The ratio is the median of the ratios of the rounds, since the speed of a machine drifts. Where rounds
    differ much, that may be far from the ratio of the medians: a target is met only by both."""
    chosen = best(row.baseline, samples, row)
    values = [getattr(sample, row.field) for sample in samples[row.value]]
    parts = [samples[chosen], *(samples[name] for name in row.plus)]
    baselines = [sum(getattr(sample, row.field) for sample in samples_of_round) for samples_of_round in zip(*parts)]
    ratios = [ratio_of(row, value, baseline) for value, baseline in zip(values, baselines)]
    ratio = statistics.median(ratios)
    ratio_of_medians = ratio_of(row, statistics.median(values), statistics.median(baselines))
    return {
        "name": row.name,
        "what": row.what,
        "value": statistics.median(values),
        "unit": row.unit,
        "baseline": " + ".join([chosen, *row.plus]),
        "baseline_value": statistics.median(baselines),
        "ratio": ratio,
        "ratio_of_medians": ratio_of_medians,
        "target": row.target,
        "at_most": row.at_most,
        "met": is_met(row, ratio) and is_met(row, ratio_of_medians),
        "ratios": ratios,
        **details(samples[row.value]),
        **details(samples[chosen], "baseline_"),
    }


def environment(settings):
    """The machine, the versions and the settings."""
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    system = re.search(r'PRETTY_NAME="(.*)"', pathlib.Path("/etc/os-release").read_text())
    memory = re.search(r"MemTotal:\s*(\d+) kB", pathlib.Path("/proc/meminfo").read_text())
    versions = {}
    for name, command in {
        "kvs": [settings["bin"] / "kvs", "--version"], "redis": ["redis-server", "--version"], "etcd": ["etcd", "--version"],
        "postgres": ["psql", "--version"], "grpc": ["dpkg-query", "-W", "-f=${Version}", "libgrpc++-dev"],
        # The commit, with a + if something was changed since.
        "sources": ["git", "-C", ROOT, "describe", "--always", "--dirty=+"],
    }.items():
        try:
            versions[name] = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()[0].partition(" sha=")[0]
        except OSError:
            versions[name] = "not installed"
        except IndexError:
            versions[name] = "unknown"
    return {
        "processor": model.group(1) if model else platform.machine(),
        "processors": os.cpu_count(),
        "memory_gib": round(int(memory.group(1)) / 2**20, 1),
        "system": system.group(1) if system else "unknown",
        "kernel": platform.release(),
        "busy_before": busy_share(),
        "versions": versions,
        **{name: value for name, value in settings.items() if name != "bin"},
    }


def busy_share(seconds=1):
    """How much of the time of all processors something takes while nothing is measured."""
    def times():
        fields = [int(field) for field in pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]  # all of it, and idle or waiting for a disk
    all_before, idle_before = times()
    time.sleep(seconds)
    all_after, idle_after = times()
    return 1 - (idle_after - idle_before) / (all_after - all_before)


def is_busy(about):
    """Whether so much else ran when the measurement began that it may have been slowed down."""
    return about["busy_before"] > 0.1


def changed(row, before):
    """Whether the run before had another ratio: by how much, as a share, or None."""
    old = next((other["ratio"] for other in before if other["name"] == row["name"]), None)
    return None if not old or not row["ratio"] else row["ratio"] / old - 1


def number(value):
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(header, rows):
    lines = ["| " + " | ".join(header) + " |", "|" + " --- |" * len(header)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def markdown(rows, before, about):
    """The tables, as they are put into docs/performance.md too."""
    targets = []
    for row in rows:
        sign = "≤" if row["at_most"] else "≥"
        change = changed(row, before)
        targets.append([
            f"`{row['name']}`", row["what"], f"{number(row['value'])} {row['unit']}",
            f"`{row['baseline']}` {number(row['baseline_value'])}" if row["baseline"] else "",
            ratio_text(row), f"{sign} {row['target']}",
            {True: "yes", False: "no", None: "-"}[row["met"]],
            "" if change is None else f"{change:+.0%}" + (" (over 15 %)" if abs(change) > REPEATABLE else ""),
        ])
    latencies = [
        [f"`{row['name']}`", *(number(row[prefix + field]) for prefix in ("", "baseline_") for field in ("p50_us", "p99_us", "p999_us")),
         cpu_text(row["cpu_seconds_per_million"]), cpu_text(row["baseline_cpu_seconds_per_million"]), number(cpu_ratio(row))]
        for row in rows if row["ratio"]
    ]
    return "\n".join([
        f"On {about['processors']} × {about['processor']}, {about['memory_gib']} GiB, {about['system']}, Linux {about['kernel']}; "
        f"{about['rounds']} rounds of {about['seconds']} s, {about['keys']:,} keys ({about['start_keys']:,} for starts, {about['many_keys']:,} "
        f"for scale_keys), processors {about['busy_before']:.0%} busy before{' (others were at work)' if is_busy(about) else ''}. "
        + "; ".join(f"{name}: {version}" for name, version in about["versions"].items()) + ".\n",
        table(["row", "what", "value", "baseline", "ratio (of the rounds; of the medians)", "target", "met", "since the run before"], targets),
        "Of a message, in microseconds, and processor seconds for a million operations:\n",
        table(["row", "p50", "p99", "p99.9", "baseline p50", "p99", "p99.9", "processor", "of the baseline", "that over this"], latencies),
    ])


def ratio_text(row):
    """The ratio with those of the rounds, and that of the medians."""
    if not row["ratio"]:
        return "not measured"
    return f"{row['ratio']:.2f} ({min(row['ratios']):.2f} to {max(row['ratios']):.2f}; {row['ratio_of_medians']:.2f})"


def cpu_ratio(row):
    """What the ratio of a throughput would be if both sides kept all processors busy all the time; None of others."""
    own, baseline = (sum(row[prefix + "cpu_seconds_per_million"].values()) for prefix in ("", "baseline_"))
    return baseline / own if own and baseline and not row["at_most"] else None


def cpu_text(cpu):
    return ", ".join(f"{name} {number(seconds)}" for name, seconds in cpu.items())


def svg(rows):
    """For each row, how far its ratio is of its target: a bar that reaches the line has met it."""
    measured = [row for row in rows if row["ratio"]]
    height = 24
    left, width = 230, 420
    bars = []
    for i, row in enumerate(measured):
        share = row["target"] / row["ratio"] if row["at_most"] else row["ratio"] / row["target"]
        length = min(share, 2) / 2 * width
        y = 34 + i * height
        color = "#2e7d32" if row["met"] else "#c62828"
        bars.append(
            f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{row["name"]}</text>'
            f'<rect x="{left}" y="{y}" width="{length:.1f}" height="{height - 7}" fill="{color}"/>'
            f'<text x="{left + length + 6:.1f}" y="{y + 13}">{row["ratio"]:.2f} of {row["target"]}</text>'
        )
    bottom = 34 + len(measured) * height
    line = f'<line x1="{left + width / 2}" x2="{left + width / 2}" y1="26" y2="{bottom}" stroke="#333" stroke-dasharray="4 3"/>'
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 130}" height="{bottom + 10}" '
        f'font-family="sans-serif" font-size="12"><rect width="100%" height="100%" fill="white"/>'
        f'<text x="{left + width / 2}" y="18" text-anchor="middle">target</text>{"".join(bars)}{line}</svg>\n'
    )


def read(directory):
    """The rows that the run before has left."""
    path = directory / "results.json"
    try:
        return [row for row in json.loads(path.read_text()) if row["name"] and "ratio" in row]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError, KeyError) as error:
        raise Failure(f"{path} is damaged ({error}): remove it, or choose another --out") from error


def write(directory, rows, before, about):
    """Writes results.json, results.md, results.svg and environment.json, compared with the rows of the run before."""
    text = markdown(rows, before, about)
    for name, content in {
        "results.json": json.dumps(rows, indent=1) + "\n", "environment.json": json.dumps(about, indent=1) + "\n",
        "results.md": text, "results.svg": svg(rows),
    }.items():
        unfinished = directory / f"{name}.unfinished"
        unfinished.write_text(content)
        unfinished.replace(directory / name)
    return text
