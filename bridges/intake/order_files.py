"""Readers of order files: JSON lines, or CSV with a row for each order line.

Both yield orders with their line numbers, and problems with the lines they are in, in the order of
the file. A bad line does not stop the reading.
"""

import codecs
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.intake.csv_table import FileError, read_table, whole_number
from order_sagas.bridges.intake.order_schema import InvalidOrderError, check_order, read_order

COLUMNS = ("order_id", "customer_id", "currency", "sku", "quantity", "unit_price")
"""The required header of a CSV file of orders; `warehouse` is optional."""


class Found(NamedTuple):
    """An order, or a problem, with its line. In CSV, the line is the first one of the order."""

    line: int
    order: OrderCreated | None
    problem: str = ""
    order_id: str = ""


def read_jsonl(lines: Iterable[bytes], *, lenient: bool = False) -> Iterator[Found]:
    """Read one order a line, in UTF-8; empty lines are skipped.

    Unknown fields are refused, unless `lenient`. Raises FileError if the first line begins with the
    byte order mark of UTF-16.
    """
    for number, raw in enumerate(lines, 1):
        if number == 1:
            if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
                raise FileError("line 1: this is UTF-16: give --encoding utf-16")
            raw = raw.removeprefix(codecs.BOM_UTF8)
        if raw.isspace() or not raw:
            continue
        try:
            yield Found(number, read_order(raw, lenient=lenient))
        except InvalidOrderError as error:
            yield Found(number, None, str(error))


def read_csv(text: str) -> Iterator[Found]:
    """Read orders from CSV.

    Rows with the same order id are one order, wherever they are in the file.

    All rows are read before the first order is yielded. An order with a bad row is rejected as a
    whole. A row without sku, quantity and price is an order without lines. Raises FileError if the
    file cannot be read as a table; see `read_table`.
    """
    orders: dict[str, _Order] = {}
    without_id: list[Found] = []
    for line, cells, problem in read_table(text, COLUMNS):
        order_id = cells["order_id"]
        if not order_id:
            without_id.append(Found(line, None, problem or "order_id is empty"))
            continue
        order = orders.get(order_id)
        if order is None:
            order = orders[order_id] = _Order(line, cells)
        elif not problem:
            order.compare(line, cells)
        order.add(line, cells, problem)
    yield from without_id
    for order in orders.values():
        yield from order.found()


class _Order:
    """The rows of one order that were read so far."""

    __slots__ = ("_head", "_line", "_lines", "_problems")

    def __init__(self, line: int, cells: dict[str, str]) -> None:
        self._line = line
        self._head = cells
        self._lines: list[dict[str, object]] = []
        self._problems: list[tuple[int, str]] = []

    def compare(self, line: int, cells: dict[str, str]) -> None:
        """Note how another row differs from the first one."""
        for name in ("customer_id", "currency", "warehouse"):
            first = self._head.get(name, "")
            if cells.get(name, "") != first:
                self._problems.append(
                    (line, f"{name} is {cells[name]!r}, but {first!r} in line {self._line}")
                )

    def add(self, line: int, cells: dict[str, str], problem: str = "") -> None:
        """Add the order line of a row, or the problem of the row."""
        if problem:
            self._problems.append((line, problem))
            return
        if not (cells["sku"] or cells["quantity"] or cells["unit_price"]):
            return
        numbers = {}
        for name, field in (("quantity", "quantity"), ("unit_price", "unitPrice")):
            try:
                numbers[field] = whole_number(cells[name], name)
            except ValueError as error:
                self._problems.append((line, str(error)))
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
