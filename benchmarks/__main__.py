"""Runs all benchmarks, and prints one table and writes one JSON file.

    python -m benchmarks [--quick] [--json FILE] [--only AREA ...]

Each figure is measured in a separate process, short ones several times. CPU figures are scaled to
the reference machine by the calibration loop; wall-clock figures are not scaled.
"""

import argparse
import json
import resource
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console

from benchmarks.calibration import calibrate, scale
from benchmarks.rows import Figure, print_table, write_json

Area = Callable[[bool], Iterator[Figure]]


def embedded(quick: bool) -> Iterator[Figure]:
    """The embedded log, alternately without and with parked sagas."""
    count, repeats = (2_000, 1) if quick else (20_000, 3)
    sizes = (0, 1_000, 10_000) if quick else (0, 1_000, 10_000, 100_000)
    runs: dict[int, list[dict[str, Any]]] = {parked: [] for parked in sizes}
    for _round in range(repeats):
        for parked, results in runs.items():
            results.append(_run("benchmarks.embedded", *_options(count, parked)))
    if not quick:  # it takes minutes
        runs[1_000_000] = [_run("benchmarks.embedded", *_options(count, 1_000_000))]
    alone = [_scaled(r, "cpu_per_order") for r in runs[0]]
    for parked, results in runs.items():
        command = f"python -m benchmarks.embedded {' '.join(_options(count, parked))}"
        beside = f", {parked:,} sagas parked" if parked else ""
        cpu = [_scaled(r, "cpu_per_order") for r in results]
        goal = "" if parked else "at most 200"
        yield _row(results, "embedded log", f"CPU of an order{beside}", cpu, "µs", command, goal)
        if parked:
            ratio = [there / here for there, here in zip(cpu, alone, strict=False)]
            what = f"{parked:,} sagas parked, against none: CPU of an order"
            goal = "at most 1.2" if parked <= 100_000 else ""
            yield _row(results, "embedded log", what, ratio, "times", command, goal)
        else:
            taken = [_scaled(r, "cpu_per_submitted") for r in results]
            yield _row(results, "embedded log", "CPU of submitting an order", taken, "µs", command)
            rate = [r["orders"] / r["wall"] for r in results]
            yield _row(results, "embedded log", "orders", rate, "1/s", command)
            for name in ("p50", "p99"):
                took = [r[name] * 1000 for r in results]
                what = f"{name} of a saga, at full load"
                yield _row(results, "embedded log", what, took, "ms", command)
        if parked >= 100_000:
            size = [r["bytes_per_parked"] / 1000 for r in results]
            again = [r["restart"] for r in results]
            small, quickly = ("at most 3", "at most 5") if parked == 100_000 else ("", "")
            what = f"memory of a parked saga, of {parked:,}"
            yield _row(results, "embedded log", what, size, "kB", command, small)
            what = f"restart with {parked:,} sagas in flight"
            yield _row(results, "embedded log", what, again, "s", command, quickly)


def _options(count: int, parked: int) -> list[str]:
    return ["--orders", str(count), "--parked", str(parked)]


def history(quick: bool) -> Iterator[Figure]:
    """New orders with a million finished ones in the database, which take minutes to write."""
    finished, count = (5_000, 2_000) if quick else (1_000_000, 20_000)
    for past in (0, finished):
        options = ["--orders", str(count), "--finished", str(past)]
        results = [_run("benchmarks.embedded", *options) for _ in range(1 if past else 3)]
        command = f"python -m benchmarks.embedded {' '.join(options)}"
        beside = f" beside {past:,} finished ones" if past else ""
        cpu = [_scaled(r, "cpu_per_order") for r in results]
        goal = "within 20% of none finished" if past else ""
        yield _row(results, "history", f"CPU of an order{beside}", cpu, "µs", command, goal)
        taken = [_scaled(r, "cpu_per_submitted") for r in results]
        yield _row(results, "history", f"CPU of submitting one{beside}", taken, "µs", command)
        again = [r["restart"] for r in results]
        yield _row(results, "history", f"restart{beside}", again, "s", command)


def runtime(quick: bool) -> Iterator[Figure]:
    """The actor runtime, compared with Thespian's system bases."""
    from benchmarks.runtime import compare

    for m in compare(scale(calibrate()), quick=quick):
        beside = f", {m.parked:,} parked" if m.parked else ""
        what = f"{m.base}: {m.what}{beside}"
        command = "python -m benchmarks.runtime"
        yield Figure("runtime", what, (m.per_cpu_second,), "1/CPU s", command)


def simulation(quick: bool) -> Iterator[Figure]:
    """Simulated systems, with all checks."""
    from benchmarks.simulation import area

    yield from area(quick)


def kafka(quick: bool) -> Iterator[Figure]:
    """Workers on a real Kafka, if there is one, with SQLite and PostgreSQL."""
    from tests.support.kafka_jars import why_no_broker

    if why_no_broker():
        return
    count = 1_000 if quick else 10_000
    for database, workers, goal in (
        ("sqlite", 1, "at most 600"),
        ("postgresql", 1, "at most 800"),
        ("postgresql", 2, "at most 800"),
    ):
        options = ["--database", database, "--workers", str(workers), "--orders", str(count)]
        r = _run("benchmarks.kafka", *options)
        command = f"python -m benchmarks.kafka {' '.join(options)}"
        name = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}[database]
        name = f"{name}, {workers} worker{'s' if workers > 1 else ''}"
        for whose, target in (("worker", goal), ("broker", ""), ("database", "")):
            cpu = _scaled(r, f"{whose}_cpu")
            if cpu:
                what = f"{name}: CPU of {'the ' if whose != 'worker' else ''}{whose} for an order"
                yield _row([r], "kafka", what, (cpu,), "µs", command, target)
        yield _row([r], "kafka", f"{name}: orders", (r["orders"] / r["wall"],), "1/s", command)
        for part, target in (("p50", "at most 100"), ("p99", "")):
            what = f"{name}: {part} of a saga, one at a time"
            yield _row([r], "kafka", what, (r[part] * 1000,), "ms", command, target)


def http(quick: bool) -> Iterator[Figure]:
    """Orders over HTTP, on the embedded log."""
    options = ["--orders", "2000" if quick else "20000"]
    results = [_run("benchmarks.http", *options) for _ in range(1 if quick else 3)]
    command = f"python -m benchmarks.http {' '.join(options)}"
    cpu = [_scaled(r, "cpu_per_order") for r in results]
    yield _row(results, "http", "CPU of an order that is posted", cpu, "µs", command)
    rate = [r["orders"] / r["wall"] for r in results]
    yield _row(results, "http", "orders posted by 64 clients", rate, "1/s", command)
    for name in ("p50", "p99"):
        took = [r[name] * 1000 for r in results]
        yield _row(results, "http", f"{name} of an answer, at full load", took, "ms", command)


def scaling(quick: bool) -> Iterator[Figure]:
    """Large loads: due timers, many orders, several workers; and a single order."""
    parked, within, count = (2_000, 5, 2_000) if quick else (100_000, 60, 20_000)
    command, r = _scale("timers", "--parked", str(parked), "--within", str(within))
    due = f"{parked:,} timers due within {within} s"
    for name in ("p50", "p99", "max"):
        late = (r[f"late_{name}"],)
        goal = "at most 1" if name == "p99" else ""
        yield _row([r], "scale", f"{due}: {name} of lateness", late, "s", command, goal)
    for name in ("p50", "p99"):
        took = (r[f"others_{name}"],)
        yield _row([r], "scale", f"{due}: {name} of another order", took, "s", command)
    cpu = (_scaled(r, "cpu_per_saga"),)
    yield _row([r], "scale", f"{due}: CPU of a saga", cpu, "µs", command)
    command, r = _scale("alone", "--orders", "50" if quick else "200")
    for name, goal in (("p50", "at most 20"), ("p99", "")):
        took = (r[name] * 1000,)
        yield _row([r], "scale", f"an order alone: {name}", took, "ms", command, goal)
    command, r = _scale("pressure", "--orders", str(3 * count))
    grown = (r["memory_growth"] / 1e6,)
    what = f"{r['waiting']:,} orders waiting: memory that they cost the worker"
    yield _row([r], "scale", what, grown, "MB", command, "at most 50")
    for what in ("submitted", "handled"):
        rate = (r[f"{what}_per_second"],)
        yield _row([r], "scale", f"orders {what} under pressure", rate, "1/s", command)
    # Many orders, so that the first and last batches, with one idle worker, matter little.
    yield from _workers(3 * count, 1 if quick else 3)


def _workers(count: int, repeats: int) -> Iterator[Figure]:
    """One worker and two, alternately: on a busy machine the ratio is more reliable than rates."""
    runs: dict[int, list[dict[str, Any]]] = {1: [], 2: []}
    for _ in range(repeats):
        for workers, results in runs.items():
            _, r = _scale("workers", "--workers", str(workers), "--orders", str(count))
            results.append(r)
    command = f"python -m benchmarks.scale workers --workers 2 --orders {count}, and with 1"
    for workers, results in runs.items():
        name = f"{workers} worker{'s' if workers > 1 else ''}"
        cpu = [_scaled(r, "cpu_per_order") for r in results]
        yield _row(results, "scale", f"{name}: CPU of an order", cpu, "µs", command)
        rate = [r["orders_per_second"] for r in results]
        yield _row(results, "scale", f"{name}: orders", rate, "1/s", command)
    for what, key, goal in (
        ("two workers against one, by the CPU of the busiest", "busiest_cpu_per_order", ""),
        ("two workers against one, by the clock", "wall", "at least 1.7"),
    ):
        ratio = [one[key] / two[key] for one, two in zip(*runs.values(), strict=True)]
        yield _row(runs[2], "scale", what, ratio, "times", command, goal or "at least 1.7")


def _scale(*options: str) -> tuple[str, dict[str, Any]]:
    return f"python -m benchmarks.scale {' '.join(options)}", _run("benchmarks.scale", *options)


AREAS: dict[str, Area] = {
    "embedded": embedded,
    "history": history,
    "http": http,
    "kafka": kafka,
    "runtime": runtime,
    "scale": scaling,
    "simulation": simulation,
}


def _run(module: str, *options: str) -> dict[str, Any]:
    loop, before = calibrate(2), _used()
    done = subprocess.run(
        [sys.executable, "-m", module, *options, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"python -m {module} {' '.join(options)} failed:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    used = _used() - before
    loop = (loop + calibrate(2)) / 2
    return {"cpu": {"benchmark": used}, "scale": scale(loop), **result}


def _scaled(result: dict[str, Any], name: str) -> float:
    """Return CPU microseconds scaled to the reference machine by the loops before and after."""
    return float(result[name]) * 1e6 * float(result["scale"])


def _used() -> float:
    """Return the CPU seconds of all child processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _row(results: Sequence[Mapping[str, Any]], *fields: Any) -> Figure:
    """Return a figure of these runs, with the CPU of their processes."""
    cpu = {
        name: statistics.median([r["cpu"].get(name, 0.0) for r in results])
        for name in results[0]["cpu"]
    }
    return attrs.evolve(Figure(*fields), cpu=cpu)


def main() -> None:
    """Run the benchmarks, print the table, and write the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure.")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer runs")
    parser.add_argument("--json", type=Path, default=Path("benchmarks.json"), metavar="FILE")
    parser.add_argument("--only", nargs="+", choices=AREAS, default=list(AREAS), metavar="AREA")
    arguments = parser.parse_args()
    console = Console()
    calibration = calibrate()
    figures: list[Figure] = []
    with console.status("") as status:
        for name in arguments.only:
            status.update(f"Measuring: {name}")
            for figure in AREAS[name](arguments.quick):
                figures.append(figure)
                status.update(f"Measuring: {figure.area}, {figure.what}")
    print_table(console, figures, calibration)
    write_json(arguments.json, figures, calibration)
    console.print(f"Written to {arguments.json}")


if __name__ == "__main__":
    main()
