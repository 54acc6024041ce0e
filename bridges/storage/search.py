"""Finds orders and sagas by stored values, the newest first.

If an index shows that few rows meet one of the conditions, only these are read, and the answer is
complete. Otherwise the history is searched in windows, from the newest one on: if many rows
meet the conditions, a page is soon full. For a SKU, windows consist of the blocks that may have it
(`storage.keywords`). After BUDGET seconds no further window is begun. The next search continues
below, so a search may find nothing and still be incomplete; `Found.after` says so.
"""

import time
from collections.abc import Iterator, Sequence
from typing import Any

import attrs
import sqlalchemy as sa

from order_sagas.actors.entities import Order
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.keywords import blocks_of
from order_sagas.bridges.storage.schema import order_keys, sagas, table_of
from order_sagas.bridges.storage.search_conditions import (
    Numbers,
    id_index,
    of_id,
    of_order,
    of_saga,
    order_indexes,
    saga_indexes,
)
from order_sagas.bridges.storage.search_conditions import Search as Search

WINDOW = 25_000
"""Size of a window, in numbers of orders."""
FEW = 20_000
"""Maximum number of rows that an index finds and a search reads anywhere in the history."""
BUDGET = 0.15
"""Seconds after which a search begins no further window."""
DISORDER = 86_400.0
"""Maximum seconds by which the order of numbers may differ from the order of times."""

_orders = table_of(Order)
Row = dict[str, Any]
Range = tuple[int, int]
"""The first number, and one above the last."""


@attrs.frozen
class Found:
    """Rows, the newest first.

    `after` is where the next search continues; None if this was the last.

    `back_to` is the time of the oldest row in the windows that were searched, in seconds since the
    Unix epoch; None if an index found all.
    """

    rows: list[Row]
    after: int | None
    back_to: float | None = None


def search_orders(
    db: sa.Connection,
    which: Search,
    limit: int,
    after: int | None = None,
    saga: str = queries.ORDERS_SAGA,
) -> Found:
    """Return at most `limit` stored orders with numbers below `after`, as `orders_page` has them.

    Orders that wait in the log are only found by the beginning of their id: nothing else is known.
    """
    if not which.of_content:
        return _search_ids(db, which, limit, after, saga)
    saga_conditions = of_saga(which, saga)
    no = sagas.c.no if saga_conditions else _orders.c.no
    conditions = [*of_id(which, _orders.c.order_id), *of_order(db, which)]
    matching: Any = sa.select(no).select_from(_orders).where(*conditions)
    if saga_conditions:
        matching = matching.join(sagas, sagas.c.no == _orders.c.no)
        matching = matching.where(*saga_conditions, sagas.c.saga == saga)
    if which.statuses:
        matching = matching.where(_orders.c.status.in_(which.statuses))
    at = sagas.c.started_at if saga_conditions else _orders.c.created_at
    joined = [_orders.c.no] if saga_conditions else []
    table = _Table(no, at, [*order_indexes(which)], joined)
    numbers = _search(db, which, table, matching, limit, after)
    return _found_orders(db, numbers, limit, saga)


def _search_ids(
    db: sa.Connection, which: Search, limit: int, after: int | None, saga: str
) -> Found:
    """Search for the beginning of ids, and statuses."""
    matching = queries.numbers_of_orders().where(*of_id(which, order_keys.c.order_id))
    if which.statuses:
        matching = matching.where(queries.STATUS.in_(which.statuses))
    table = _Table(order_keys.c.no, _orders.c.created_at, [*id_index(which)])
    return _found_orders(db, _search(db, which, table, matching, limit, after), limit, saga)


def _found_orders(db: sa.Connection, numbers: "_Numbers", limit: int, saga: str) -> Found:
    query = queries.orders_query(saga).add_columns(order_keys.c.no)
    found = _rows(db, query.where(order_keys.c.no.in_(numbers.found[:limit])))
    return Found(found, numbers.after(limit), numbers.back_to)


def search_sagas(db: sa.Connection, which: Search, limit: int, after: int | None = None) -> Found:
    """Return at most `limit` sagas, as `sagas_page` has them, of orders numbered below `after`.

    All sagas of an order are on one page, so that a page may have a few more.
    """
    conditions = [*of_id(which, sagas.c.order_id), *of_saga(which, which.saga)]
    if which.statuses:
        conditions.append(sagas.c.status.in_(which.statuses))
    matching: Any = sa.select(sagas.c.no).group_by(sagas.c.no)
    if order_conditions := of_order(db, which):
        conditions += order_conditions
        matching = matching.join(_orders, _orders.c.no == sagas.c.no)
    joined = [_orders.c.no] if order_conditions else []
    table = _Table(sagas.c.no, sagas.c.started_at, [*saga_indexes(which)], joined)
    numbers = _search(db, which, table, matching.where(*conditions), limit, after)
    query = queries.sagas_query().add_columns(sagas.c.no).where(*conditions)
    found = _rows(db, query.where(sagas.c.no.in_(numbers.found[:limit])))
    if len(found) <= limit:
        return Found(found, numbers.after(limit), numbers.back_to)
    last = found[limit - 1]["no"]
    rest = [no for no in numbers.found if no < last]
    rows = [row for row in found if row["no"] >= last]
    return Found(rows, last if rest else numbers.after(limit), numbers.back_to)


def _rows(db: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    return [dict(row) for row in db.execute(query).mappings()]


# --- numbers of orders ---------------------------------------------------------------------------


@attrs.frozen
class _Table:
    """What is searched.

    `indexed` has, for each index, the query of the numbers, and whether it is for a range.
    """

    no: sa.ColumnElement[int]
    at: sa.Column[Any]
    """When an order, or a saga, began."""
    indexed: Sequence[tuple[Numbers, bool]]
    joined: Sequence[sa.ColumnElement[int]] = ()
    """The same number in tables that are joined."""


@attrs.frozen
class _Numbers:
    """Numbers of matching orders, the newest first: one more than the limit if there are more."""

    found: list[int]
    lowest: int | None = None
    """Numbers below it were not searched; None if all were."""
    back_to: float | None = None

    def after(self, limit: int) -> int | None:
        return self.found[limit - 1] if len(self.found) > limit else self.lowest


def _search(
    db: sa.Connection,
    which: Search,
    table: _Table,
    matching: Numbers,
    limit: int,
    after: int | None,
) -> _Numbers:
    until = time.monotonic() + BUDGET
    floor, top = _extent(db, which, table)
    if after is not None:
        top = min(top, after)
    few = _few(db, table, floor, top)
    if few is not None:
        # Not the bare number: SQLite would read all rows in its order rather than sort a few.
        number = table.no + sa.literal_column("0")
        query = matching.where(table.no.in_(few), number >= floor, number < top)
        query = query.order_by(number.desc())
        return _Numbers([*db.scalars(query.limit(limit + 1))])
    found: list[int] = []
    lowest: int | None = None
    for ranges in _windows(db, which, floor, top):
        if lowest is not None and time.monotonic() > until:
            return _Numbers(found, lowest, _time_at(db, table, lowest))
        # Not ranges with OR between them, for which SQLite would read all rows in their order.
        parts = [_within(db, which, table, matching, low, high) for low, high in ranges]
        query = sa.union_all(*parts).order_by(sa.literal_column("1").desc())
        found += db.scalars(query.limit(limit + 1 - len(found)))
        lowest = ranges[-1][0]
        if len(found) > limit:
            return _Numbers(found, None, _time_at(db, table, lowest))
    return _Numbers(found)


def _windows(db: sa.Connection, which: Search, floor: int, top: int) -> Iterator[list[Range]]:
    """Yield windows, the newest first: ranges of together about WINDOW numbers.

    Together the windows contain every row that can match.
    """
    ranges = blocks_of(db, which.sku, floor, top) if which.sku else [(floor, top)]
    window: list[Range] = []
    room = WINDOW
    for first, end in ranges:
        while first < end:
            low = max(first, end - room)
            window.append((low, end))
            room -= end - low
            end = low
            if not room:
                yield window
                window, room = [], WINDOW
    if window:
        yield window


def _within(
    db: sa.Connection, which: Search, table: _Table, matching: Numbers, low: int, high: int
) -> Numbers:
    numbers = [table.no, *table.joined]
    if db.dialect.name == "sqlite" and which.sku:
        # Orders first: their lines narrow it more than sagas, whose rows are large.
        numbers = numbers[-1:]
    elif db.dialect.name == "sqlite":  # PostgreSQL would read the whole of a joined table
        numbers = numbers[:1]
    for no in numbers:
        matching = matching.where(no >= low, no < high)
    return matching


def _few(db: sa.Connection, table: _Table, low: int, top: int) -> Numbers | None:
    """Return the numbers that an index finds, if they are at most FEW; None if none finds so few.

    Of an index of equal values in the order of numbers, only those from `low` on and below `top`.
    """
    for numbers, is_range in table.indexed:
        (no,) = numbers.selected_columns
        within = numbers if is_range else numbers.where(no >= low, no < top)
        counted = sa.select(sa.func.count()).select_from(within.limit(FEW + 1).subquery())
        if db.execute(counted).scalar_one() <= FEW:
            return within
    return None


def _time_at(db: sa.Connection, table: _Table, low: int) -> float | None:
    """Return the time of the first row with this number or a higher one."""
    no = table.at.table.c.no
    query = sa.select(table.at).where(no >= low).order_by(no).limit(1)
    found: float | None = db.execute(query).scalar()
    return found


def _extent(db: sa.Connection, which: Search, table: _Table) -> tuple[int, int]:
    """Return the lowest number, and one above the highest one, that can match.

    The numbers are in about the order of time: found by halving.
    """
    lowest, highest = db.execute(
        sa.select(
            sa.select(sa.func.min(table.no)).scalar_subquery(),
            sa.select(sa.func.max(table.no)).scalar_subquery(),
        )
    ).one()
    if lowest is None:
        return 0, 0
    low, top = int(lowest), int(highest) + 1
    before = min(
        (at for at in (which.started_to, which.ended_to) if at is not None), default=None
    )  # what has ended had begun before
    if before is not None:
        top = _halved(db, low, top, before + DISORDER)[1]
    if which.started_from is not None:
        low = _halved(db, low, top, which.started_from - DISORDER)[0]
    return low, top


def _halved(db: sa.Connection, low: int, top: int, at: float) -> tuple[int, int]:
    """Return two numbers near each other, between which the sagas that began then are."""
    following = sa.select(sagas.c.started_at).order_by(sagas.c.no).limit(1)
    first, last = low, top
    while last - first > max(1, WINDOW // 20):
        middle = (first + last) // 2
        began = db.execute(following.where(sagas.c.no >= middle)).scalar()
        if began is None or began > at:
            last = middle
        else:
            first = middle
    return first, last
