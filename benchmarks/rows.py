"""A figure of a benchmark, and the table of all figures."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table


@attrs.frozen
class Figure:
    """A figure: its median and range over the repeats."""

    area: str
    what: str
    values: Sequence[float]
    unit: str
    command: str
    goal: str = ""
    cpu: Mapping[str, float] = attrs.field(factory=dict)
    """CPU seconds of each process of a run, by name: the median of the repeats."""

    @property
    def median(self) -> float:
        """The median of the repeats."""
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        """The smallest and the largest of the repeats; empty for one repeat."""
        if len(self.values) < 2:
            return ""
        return f"{show(min(self.values))} to {show(max(self.values))}"


def show(value: float) -> str:
    """Format a number with three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def print_table(console: Console, figures: Iterable[Figure], calibration: float) -> None:
    """Format the figures as a table, with the machine's speed above it."""
    console.print(
        f"Calibration loop: {calibration:.3f} s of CPU here, 0.116 s on the reference machine. "
        "CPU figures are scaled, by the loops that ran beside them."
    )
    table = Table(box=None, pad_edge=False)
    for name in ("", "median", "unit", "runs", "spread", "goal", "CPU s", "command"):
        table.add_column(
            name, justify="right" if name in ("median", "runs") else "left", overflow="fold"
        )
    area, commands = "", dict[str, int]()
    for figure in figures:
        if figure.area != area:
            area = figure.area
            table.add_row(f"[bold]{area}[/bold]")
        table.add_row(
            f"  {figure.what}",
            show(figure.median),
            figure.unit,
            str(len(figure.values)),
            figure.spread,
            figure.goal,
            ", ".join(f"{name} {seconds:.1f}" for name, seconds in figure.cpu.items()),
            f"{commands.setdefault(figure.command, len(commands) + 1)}",
        )
    console.print(table)
    for command, number in commands.items():
        console.print(f"{number:>3}  {command}", soft_wrap=True)


def write_json(path: Path, figures: Sequence[Figure], calibration: float) -> None:
    """Return the figures as data, with the command of each row."""
    rows: list[dict[str, Any]] = [
        {
            "area": f.area,
            "what": f.what,
            "median": f.median,
            "values": list(f.values),
            "unit": f.unit,
            "goal": f.goal,
            "spread": f.spread,
            "repeats": len(f.values),
            "command": f.command,
            "cpu_seconds": dict(f.cpu),
        }
        for f in figures
    ]
    path.write_text(json.dumps({"calibration_seconds": calibration, "figures": rows}, indent=2))


def print_result(result: Mapping[str, Any], *, as_json: bool) -> None:
    """Print the result of a run, as JSON or as text."""
    if as_json:
        print(json.dumps(result))
        return
    for name, value in result.items():
        shown = f"{value:.6g}" if isinstance(value, int | float) else json.dumps(value)
        print(f"{name:22} {shown}")
