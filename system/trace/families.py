"""The lines of an order, with those of the child sagas that its sagas have started.

A child may have an order of its own. The first line of a saga that another saga has started names
that one as its `parent`.
"""

from collections.abc import Callable, Iterable
from typing import Any

Line = dict[str, Any]


def with_children(order_id: str, read: Callable[[str], Iterable[Line]]) -> list[Line]:
    """Return the lines about an order, of its child sagas, of their children, and so on.

    `read` returns the lines that `concerns` an order. The order of the lines is kept; those of
    several orders are sorted by timestamp.
    """
    found: dict[str, list[Line]] = {}
    children: set[str] = set()
    orders = [order_id]
    while orders:
        order = orders.pop()
        if order not in found:
            found[order] = list(read(order))
        for line in found[order]:
            child, parent = str(line.get("saga_id")), str(line.get("parent", ""))
            is_wanted = order == order_id or parent in children
            if is_wanted and child not in children and _order_of(parent) == order:
                children.add(child)
                orders.append(str(line.get("order_id")))
    lines = [
        line
        for order, lines in found.items()
        for line in lines
        if line.get("order_id") == order
        and (order == order_id or str(line.get("saga_id")) in children)
    ]
    return lines if len(found) < 2 else sorted(lines, key=timestamp_of)


def concerns(line: Line, order_id: str) -> bool:
    """True if a line is about an order, or is the first one of a child of a saga of it."""
    return line.get("order_id") == order_id or _order_of(str(line.get("parent", ""))) == order_id


def timestamp_of(line: Line) -> str:
    """The timestamp of a line, as it is written."""
    return str(line.get("timestamp", ""))


def _order_of(saga_id: str) -> str:
    return saga_id.partition("/")[2]
