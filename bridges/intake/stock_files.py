"""Reader of stock files: CSV with sku, quantity and, optionally, warehouse (default `main`)."""

from collections.abc import Iterator
from hashlib import blake2b
from typing import NamedTuple

import msgspec

from order_sagas.actors.messages import LONGEST_ID, MAIN, LoadStock, OrderLine
from order_sagas.bridges.intake.csv_table import read_table, whole_number
from order_sagas.bridges.intake.order_schema import Id

COLUMNS = ("sku", "quantity")
"""The required header; `warehouse` is optional."""

IN_ONE_MESSAGE = 2000
"""Maximum number of lines in one message, so that its record stays well below the size limit."""

LARGEST_QUANTITY = 10**12
"""Maximum quantity of one row."""


class BadRow(NamedTuple):
    """A line that is not valid, and why."""

    line: int
    problem: str


def read_stock(text: str) -> tuple[list[tuple[str, str, int]], list[BadRow]]:
    """The (warehouse, sku, quantity) of each row, and the bad rows.

    Raises FileError if the file cannot be read as a table; see `read_table`.
    """
    rows, bad = [], []
    for line, cells, problem in read_table(text, COLUMNS):
        try:
            if problem:
                raise ValueError(problem)
            warehouse = _id(cells.get("warehouse") or MAIN, "warehouse")
            rows.append((warehouse, _id(cells["sku"], "sku"), _quantity(cells["quantity"])))
        except ValueError as error:
            bad.append(BadRow(line, str(error)))
    return rows, bad


def loads_of(rows: list[tuple[str, str, int]], again: str = "") -> Iterator[LoadStock]:
    """The messages of one delivery.

    Their ids are computed from its content, so that a delivery that is submitted twice counts once.
    To count it again, give a different `again`.
    """
    digest = blake2b(msgspec.json.encode((rows, again)), digest_size=8).hexdigest()
    by_warehouse: dict[str, list[OrderLine]] = {}
    for warehouse, sku, quantity in rows:
        by_warehouse.setdefault(warehouse, []).append(OrderLine(sku=sku, quantity=quantity))
    for number, (warehouse, lines) in enumerate(by_warehouse.items()):
        for begin in range(0, len(lines), IN_ONE_MESSAGE):
            yield LoadStock(
                order_id=f"load-{digest}-{number}-{begin // IN_ONE_MESSAGE}",
                warehouse=warehouse,
                lines=tuple(lines[begin : begin + IN_ONE_MESSAGE]),
            )


def _id(text: str, name: str) -> str:
    try:
        return msgspec.convert(text, Id)
    except msgspec.ValidationError:
        raise ValueError(
            f"{name}: {text[:LONGEST_ID]!r} is not a name of 1 to {LONGEST_ID} characters"
        ) from None


def _quantity(text: str) -> int:
    quantity = whole_number(text, "quantity")
    if not 0 <= quantity <= LARGEST_QUANTITY:
        raise ValueError(f"quantity: {quantity} is not from 0 to {LARGEST_QUANTITY}")
    return quantity
