"""One figure of a benchmark, and the table of them all."""

import json
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table


@attrs.frozen
class Figure:
    """A figure: its median over the repeats, and how far they spread."""

    area: str
    what: str
    values: Sequence[float]
    unit: str
    command: str
    goal: str = ""

    @property
    def median(self) -> float:
        """The middle of the repeats."""
        return statistics.median(self.values)

    @property
    def spread(self) -> str:
        """The smallest and the largest of the repeats; empty for a single one."""
        if len(self.values) < 2:
            return ""
        return f"{show(min(self.values))} to {show(max(self.values))}"


def show(value: float) -> str:
    """Three digits are all that a noisy machine deserves."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def print_table(console: Console, figures: Iterable[Figure], calibration: float) -> None:
    """The figures as a table, with the machine's speed above it."""
    console.print(
        f"Calibration loop: {calibration:.3f} s of CPU here, 0.116 s on the reference machine. "
        f"CPU figures are scaled by {0.116 / calibration:.2f}."
    )
    table = Table(box=None, pad_edge=False)
    for name in ("", "median", "unit", "spread", "goal"):
        table.add_column(name, justify="right" if name == "median" else "left", overflow="fold")
    area = ""
    for figure in figures:
        if figure.area != area:
            area = figure.area
            table.add_row(f"[bold]{area}[/bold]")
        table.add_row(
            f"  {figure.what}", show(figure.median), figure.unit, figure.spread, figure.goal
        )
    console.print(table)


def write_json(path: Path, figures: Sequence[Figure], calibration: float) -> None:
    """All that the table says, and the command behind each row."""
    rows: list[dict[str, Any]] = [
        {
            "area": f.area,
            "what": f.what,
            "median": f.median,
            "values": list(f.values),
            "unit": f.unit,
            "goal": f.goal,
            "command": f.command,
        }
        for f in figures
    ]
    path.write_text(json.dumps({"calibration_seconds": calibration, "figures": rows}, indent=2))
