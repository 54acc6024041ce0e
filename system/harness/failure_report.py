"""The report of a failure: the seed, the plan of faults, and the traces of the orders."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from typing import Any

import msgspec
from rich.console import Console

from order_sagas.actors.entities import Entity
from order_sagas.system.harness.faults import Fault, to_json
from order_sagas.system.harness.incident_words import describe
from order_sagas.system.harness.incidents import (
    Called,
    DeadLetter,
    Incidents,
    Raised,
    Start,
    Struck,
)
from order_sagas.system.trace import Timeline, render_text
from order_sagas.system.trace.families import concerns, with_children

WIDTH = 120
"""Columns of a report."""
MOST_WRONG = 5
"""Errors of services that are shown."""
MOST_ROWS = 80
"""Faults, calls and writes of an order that are shown."""
_MARKS = {Start: "start", Raised: "raised", DeadLetter: "dead letter", Called: "call"}


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


def story(
    seed: int,
    faults: list[Fault],
    order_ids: Iterable[str],
    lines: list[bytes],
    incidents: Incidents,
) -> str:
    """Return the report of a failure, as text: all that is needed to replay it.

    Errors of services come first. For each order follow the faults, calls and writes,
    each with its time, and the trace.
    """
    order_ids = list(order_ids)
    parts = []
    if wrong := went_wrong(incidents, order_ids):
        parts.append("\n".join(["What went wrong in services:", *(f"  {each}" for each in wrong)]))
    parts.append(f"seed {seed} (replay a test with --harness-seed {seed})")
    parts.append(f"faults: {to_json(faults)}" if faults else "faults: none")
    for order_id in order_ids:
        parts += [found] if (found := happened(incidents, order_id)) else []
        parts.append(trace_of(order_id, lines) or f"(nothing was logged of {order_id})")
    return "\n\n".join(parts)


def went_wrong(incidents: Incidents, order_ids: Sequence[str] = ()) -> list[str]:
    """The errors of services about these orders, or about any if there are none about these.

    Exceptions come first, then dead letters, then calls that were made more than once. Effects of
    faults are left out, except repeated calls.
    """
    found = [each for order_id in order_ids for each in incidents.errors(order_id)]
    found = found or [each for each in incidents.errors() if isinstance(each.event, Raised)]
    raised: Counter[tuple[str, str]] = Counter()
    letters: Counter[tuple[str, str]] = Counter()
    for each in found:
        counted = raised if isinstance(each.event, Raised) else letters
        counted[describe(each.event), each.order_id] += 1
    lines = []
    for counted in (raised, letters):
        for (text, order_id), times in counted.items():
            about = f"order {order_id}: " if order_id else ""
            lines.append(f"{about}{text}{f', {times} times' if times > 1 else ''}")
    shown = lines[:MOST_WRONG]
    if len(lines) > len(shown):
        shown.append(f"and {len(lines) - len(shown)} more")
    return shown + [line for order_id in order_ids for line in _repeated_calls(incidents, order_id)]


def _repeated_calls(incidents: Incidents, order_id: str) -> Iterator[str]:
    calls: dict[tuple[str, str], list[tuple[float, str]]] = {}
    for at, _, event in incidents.about(order_id):
        if isinstance(event, Called) and event.trouble != "before":
            calls.setdefault((event.service, event.operation), []).append((at, event.key))
    for (service, operation), made in calls.items():
        if len(made) > 1:
            keys = list(dict.fromkeys(key for _, key in made))
            with_keys = "one key" if len(keys) == 1 else f"the keys {', '.join(keys)}"
            times = ", ".join(f"{at:.3f}" for at, _ in made)
            yield (
                f"order {order_id}: {service} called {operation} {len(made)} times "
                f"with {with_keys}, {times} s after the start of the run"
            )


def happened(incidents: Incidents, order_id: str) -> str:
    """The faults, errors, calls and writes of an order, with their times; "" if there were none.

    Times are seconds since the start of its first saga, as in its trace; those of the simulated
    time of the run stand in the first line.
    """
    about = list(incidents.about(order_id))
    began = next((each.at for each in about if isinstance(each.event, Start)), 0.0)
    written: dict[object, Entity] = {}
    rows: list[str] = []
    for at, order, event in about:
        before = None
        if isinstance(event, Entity):
            if not order:
                continue
            name = (type(event), *(getattr(event, field) for field in event.key))
            before, written[name] = written.get(name), event
            if before == event:
                continue
        mark = "fault" if isinstance(event, Struck) else _MARKS.get(type(event), "write")
        rows.append(f"{at - began:+12.3f}s  {mark:<11}  {describe(event, before)}")
    if not rows:
        return ""
    if len(rows) > MOST_ROWS:
        rows[MOST_ROWS:] = [f"{'':>13}  and {len(rows) - MOST_ROWS} more"]
    when = f"{began:.3f} s after the start of the run"
    return "\n".join([f"What happened around {order_id}, whose saga began {when}:", *rows])


def _decode(raw: bytes) -> dict[str, Any]:
    line = msgspec.json.decode(raw)
    return line if isinstance(line, dict) else {}
