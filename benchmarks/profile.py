"""Profiles the CPU of an order, by part of the system.

    python -m benchmarks.profile [--orders N] [--functions N]

The shares are those of cProfile, which adds a fixed cost to every call: small functions are
overstated, and single calls into SQLite understated. For costs use `python -m benchmarks.embedded`.
"""

import argparse
import cProfile
import pstats
from collections import Counter
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

import order_sagas
from benchmarks import embedded

SOURCES = Path(order_sagas.__file__).parent

PARTS = {
    "system/runtime": "runtime: messages between actors, timers",
    "thespian": "runtime: messages between actors, timers",
    "actors/sagas": "sagas: deciding what comes next",
    "actors/services": "services: orders, payments, stock, notifications",
    "actors": "messages and entities",
    "bridges/storage": "store: rows and statements",
    "bridges/processor": "processor: batches, rounds, the log adapter",
    "bridges": "records and routes",
    "system/logs": "log lines",
    "structlog": "log lines",
}
"""Parts by path prefix; the first match counts."""

BUILT_IN = {
    "sqlite3": "SQLite",
    "msgspec": "wire: JSON to messages and back",
    "orjson": "log lines",
}
"""Parts by a text in the name of a built-in function."""

OTHER = "Python: lists, dicts, text, and the rest"


@attrs.frozen
class Profile:
    """Seconds by part, and the most expensive functions: (seconds, calls, name)."""

    parts: Counter[str]
    functions: list[tuple[float, int, str]]

    @property
    def seconds(self) -> float:
        """The sum of all parts, in seconds."""
        return sum(self.parts.values())


def profile(count: int) -> Profile:
    """Run a number of orders on the embedded log under the profiler."""
    profiler = cProfile.Profile()
    embedded.run(count, 0, watched=profiler.runcall)
    stats: Any = pstats.Stats(profiler)
    parts: Counter[str] = Counter()
    functions = []
    for (file, line, name), (_, calls, own, _, _) in stats.stats.items():
        parts[part_of(file, name)] += own
        functions.append((own, calls, _named(file, line, name)))
    return Profile(parts, sorted(functions, reverse=True))


def part_of(file: str, name: str) -> str:
    """Return the part of a function."""
    if file == "~":
        return next((part for word, part in BUILT_IN.items() if word in name), OTHER)
    path = _within(file)
    return next((part for start, part in PARTS.items() if path.startswith(start + "/")), OTHER)


def _within(file: str) -> str:
    """Return a file's path within this package, or within the installed packages."""
    path = Path(file)
    if path.is_relative_to(SOURCES):
        return str(path.relative_to(SOURCES))
    if "site-packages" in path.parts:
        return str(Path(*path.parts[path.parts.index("site-packages") + 1 :]))
    return file


def _named(file: str, line: int, name: str) -> str:
    return name if file == "~" else f"{_within(file)}:{line} {name}"


def main() -> None:
    """Run the profile, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--orders", type=int, default=5000, help="how many orders (5000)")
    parser.add_argument("--functions", type=int, default=20, help="how many functions (20)")
    arguments = parser.parse_args()
    found = profile(arguments.orders)
    by_part = Table("part", "share", title="Where the CPU of an order goes")
    for part, seconds in found.parts.most_common():
        by_part.add_row(part, f"{seconds / found.seconds:.1%}")
    by_function = Table("function", "share", "calls an order", title="Its dearest functions")
    for own, calls, name in found.functions[: arguments.functions]:
        each = f"{calls / arguments.orders:.1f}"
        by_function.add_row(name, f"{own / found.seconds:.1%}", each)
    console = Console()
    console.print(by_part, by_function)


if __name__ == "__main__":
    main()
