"""Clients of a benchmark: each call measures once and gives a Sample."""

import dataclasses
import json
import re

from processes import run


@dataclasses.dataclass
class Sample:
    """One measurement. `value` is what rows compare; latencies are those of a message, in microseconds, None if unknown."""

    value: float
    p50_us: float = None
    p99_us: float = None
    p999_us: float = None
    # Processor seconds for a million operations, by process.
    cpu: dict = dataclasses.field(default_factory=dict)


class Clients:
    """Runs the programs that make load. `seconds` is how long each measurement takes, where it is not `times` as long."""

    def __init__(self, bin, seconds, keys):
        self.bin = bin
        self.seconds = seconds
        self.warmup = min(0.25, seconds / 4)
        self.keys = keys

    def fill(self, server, verb, *args, keys=None):
        """Puts every key that `kvs bench` uses for this verb."""
        run(self._kvs_bench(server, verb, "--fill", "--duration=1ms", "--warmup=0", *args, keys=keys))

    def kvs(self, server, verb, *args, keys=None, times=1):
        return self._measure(server, self._kvs_bench(server, verb, *args, *self._time("s", times), keys=keys))

    def etcd(self, server, verb, *args, times=1):
        return self._measure(server, self._etcd_load(server, verb, *args, *self._time("", times)))

    def fill_etcd(self, server):
        run(self._etcd_load(server, "put", "--fill", "--batch=100"))

    def redis_load(self, server, what, *args, keys=None, times=1):
        command = [self.bin / "redis_load", what, f"--port={server.port}", f"--keys={keys or self.keys}"]
        return self._measure(server, [*command, *args, *self._time("", times)])

    def redis_benchmark(self, server, test, times=1):
        """redis-benchmark with its default number of connections, over the filled keys, in pipelines of 100."""
        command = ["redis-benchmark", "-p", server.port, "-t", test, "-P", 100, "-r", self.keys, "-d", 32, "-n"]
        if not hasattr(server, "rates"):
            server.rates = {}
        if test not in server.rates:
            server.rates[test] = _rate(run([*command, 100_000])[0])
        requests = max(int(server.rates[test] * self.seconds * times), 10_000)
        before = _cpu(server)
        output, client = run([*command, requests])
        cpu = {name: seconds - before[name] for name, seconds in _cpu(server).items()}
        cpu["redis-benchmark"] = client
        return Sample(_rate(output), *_percentiles(output), _per_million(cpu, requests))

    def disk(self, directory, what, frame_bytes, *args):
        output, _ = run(
            [self.bin / "disk_probe", what, "--dir", directory, "--frame-bytes", frame_bytes, "--seconds", self.seconds, *args]
        )
        found = json.loads(output)
        return Sample(found["bytes_per_second"], found["p50_us"], found["p99_us"], found["p999_us"])

    def _time(self, unit, times=1):
        return [f"--duration={self.seconds * times}{unit}", f"--warmup={self.warmup}{unit}"]

    def _kvs_bench(self, server, *args, keys):
        return [self.bin / "kvs", "bench", *server.client_args(), "--timeout=1m", "--output=json", f"--keys={keys or self.keys}", *args]

    def _etcd_load(self, server, *args):
        return [self.bin / "etcd_load", f"--address=127.0.0.1:{server.port}", f"--keys={self.keys}", *args]

    def _measure(self, server, command):
        before = _cpu(server)
        found = json.loads(run(command)[0])
        cpu = {name: seconds - before[name] for name, seconds in _cpu(server).items()}
        cpu["load"] = found["cpu_seconds"]
        return Sample(
            found["operations_per_second"], found["p50_us"], found["p99_us"], found["p999_us"],
            _per_million(cpu, found["operations_in_all"]),
        )


def _cpu(server):
    return {name: process.cpu_seconds() for name, process in server.processes().items()}


def _per_million(cpu, operations):
    return {name: round(seconds / operations * 1e6, 4) for name, seconds in cpu.items()}


def _rate(output):
    return float(re.search(r"throughput summary: ([\d.]+) requests per second", output).group(1))


def _percentiles(output):
    """The 50th, 99th and 99.9th of a pipeline, in microseconds, from the distribution that redis-benchmark prints."""
    distribution = [
        (float(share), float(millis) * 1000)
        for share, millis in re.findall(r"([\d.]+)% <= ([\d.]+) milliseconds \(cumulative count", output)
    ]
    return [next((micros for share, micros in distribution if share >= wanted), None) for wanted in (50, 99, 99.9)]
