"""Readers of order files: JSON lines, or CSV with a row for each order line.

Both yield orders with their line numbers, and problems with the lines they are in, in the order of
the file. A bad line does not stop the reading.
"""

import csv
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.intake.order_schema import InvalidOrderError, check_order, read_order

COLUMNS = ("order_id", "customer_id", "currency", "sku", "quantity", "unit_price")
"""The required header of a CSV file of orders; `warehouse` is optional."""


class Found(NamedTuple):
    """An order, or a problem, with its line. In CSV, the line is the first one of the order."""

    line: int
    order: OrderCreated | None
    problem: str = ""
    order_id: str = ""


class FileError(BridgeError, ValueError):
    """The whole file cannot be read; nothing of it was used."""


def read_jsonl(lines: Iterable[bytes]) -> Iterator[Found]:
    """Read one order a line; empty lines are skipped."""
    for number, raw in enumerate(lines, 1):
        if number == 1:
            raw = raw.removeprefix(b"\xef\xbb\xbf")
        if raw.isspace() or not raw:
            continue
        try:
            yield Found(number, read_order(raw))
        except InvalidOrderError as error:
            yield Found(number, None, str(error))


def read_csv(lines: Iterable[str]) -> Iterator[Found]:
    """Read orders from CSV.

    Rows with the same order id are one order, wherever they are in the file.

    All rows are read before the first order is yielded. An order with a bad row is rejected as a
    whole. A row without sku, quantity and price is an order without lines. Raises FileError if the
    header is missing or wrong.
    """
    reader = csv.reader(lines)
    where = columns_of(reader, COLUMNS)
    orders: dict[str, _Order] = {}
    strange: list[Found] = []
    for row in reader:
        if not any(row):
            continue
        cells = {name: row[i].strip() if i < len(row) else "" for name, i in where.items()}
        order_id = cells["order_id"]
        if not order_id:
            strange.append(Found(reader.line_num, None, "order_id is empty"))
            continue
        order = orders.get(order_id)
        if order is None:
            orders[order_id] = _Order(reader.line_num, cells)
        else:
            order.add(reader.line_num, cells)
    yield from strange
    for order in orders.values():
        yield from order.found()


def columns_of(reader: Iterator[list[str]], wanted: tuple[str, ...]) -> dict[str, int]:
    """The index of each column, from the header; raises FileError if one of `wanted` is missing."""
    try:
        header = [cell.strip().lower().removeprefix("\ufeff") for cell in next(reader, [])]
    except (csv.Error, UnicodeDecodeError) as error:
        raise FileError(f"not CSV: {error}") from None
    missing = [name for name in wanted if name not in header]
    if missing:
        raise FileError(
            f"line 1: the header lacks {', '.join(missing)}; it has to be {','.join(wanted)}"
        )
    return {name: i for i, name in enumerate(header)}


class _Order:
    """The rows of one order that were read so far."""

    __slots__ = ("_head", "_line", "_lines", "_problems")

    def __init__(self, line: int, cells: dict[str, str]) -> None:
        self._line = line
        self._head = cells
        self._lines: list[dict[str, object]] = []
        self._problems: list[tuple[int, str]] = []
        self._add_line(line, cells)

    def add(self, line: int, cells: dict[str, str]) -> None:
        """Add another row of the same order."""
        for name in ("customer_id", "currency", "warehouse"):
            first = self._head.get(name, "")
            if cells.get(name, "") != first:
                self._problems.append(
                    (line, f"{name} is {cells[name]!r}, but {first!r} in line {self._line}")
                )
        self._add_line(line, cells)

    def _add_line(self, line: int, cells: dict[str, str]) -> None:
        if not (cells["sku"] or cells["quantity"] or cells["unit_price"]):
            return
        numbers = {}
        for name, field in (("quantity", "quantity"), ("unit_price", "unitPrice")):
            try:
                numbers[field] = int(cells[name])
            except ValueError:
                self._problems.append((line, f"{name}: {cells[name]!r} is not a whole number"))
        self._lines.append({"sku": cells["sku"], **numbers})

    def found(self) -> Iterator[Found]:
        """The order, or its problems."""
        head = self._head
        fields = {
            "orderId": head["order_id"],
            "customerId": head["customer_id"],
            "currency": head["currency"],
            "lines": self._lines,
        }
        if head.get("warehouse"):
            fields["warehouse"] = head["warehouse"]
        if self._problems:
            for line, problem in self._problems:
                why = f"{problem} (so order {head['order_id']} is refused)"
                yield Found(line, None, why, head["order_id"])
            return
        try:
            yield Found(self._line, check_order(fields))
        except InvalidOrderError as error:
            yield Found(self._line, None, str(error), head["order_id"])
