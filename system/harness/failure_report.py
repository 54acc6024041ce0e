"""The report of a failure: the seed, the plan of faults, and the traces of the orders."""

from collections.abc import Iterable
from io import StringIO
from typing import Any

import msgspec
from rich.console import Console

from order_sagas.system.harness.faults import Fault, to_json
from order_sagas.system.trace import Timeline, render_text
from order_sagas.system.trace.families import concerns, with_children

WIDTH = 120
"""Columns of a report."""


def trace_of(order_id: str, lines: Iterable[bytes]) -> str:
    """Return the trace of an order, in the form of `order-sagas trace`."""
    all_lines = list(lines)

    def read(each: str) -> list[dict[str, Any]]:
        wanted = msgspec.json.encode(each)[1:]  # a parent's saga id ends with it
        decoded = [_decode(raw) for raw in all_lines if wanted in raw]
        return [line for line in decoded if concerns(line, each)]

    timeline = Timeline.from_lines(order_id, with_children(order_id, read))
    text = StringIO()
    render_text(timeline, Console(file=text, width=WIDTH, highlight=False, color_system=None))
    return text.getvalue().rstrip()


def story(seed: int, faults: list[Fault], order_ids: Iterable[str], lines: list[bytes]) -> str:
    """Return the report of a failure, as text: all that is needed to replay it."""
    parts = [f"seed {seed} (replay a test with --harness-seed {seed})"]
    parts.append(f"faults: {to_json(faults)}" if faults else "faults: none")
    parts += [trace_of(order_id, lines) or f"(nothing was logged of {order_id})"
              for order_id in order_ids]  # fmt: skip
    return "\n\n".join(parts)


def _decode(raw: bytes) -> dict[str, Any]:
    line = msgspec.json.decode(raw)
    return line if isinstance(line, dict) else {}
