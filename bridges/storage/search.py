"""Finds orders and sagas by what is stored about them, the newest first.

A search reads a window of at most WINDOW rows, so that it takes a bounded time whatever the
history; the next one goes on below it. The window is taken from an index: of the customer, of the
statuses, or of all orders. So a search may find nothing in its window and still not be over.
"""

from collections.abc import Sequence
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import Order
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.schema import order_keys, sagas, table_of

WINDOW = 20_000
"""Maximum number of rows that one search looks at."""
DISORDER = 86_400.0
"""Seconds by which the numbers of orders may be out of the order of their times."""

_orders = table_of(Order)
Row = dict[str, Any]
Conditions = list[sa.ColumnElement[bool]]


@attrs.frozen(kw_only=True)
class Search:
    """What is looked for; an empty condition matches any. Times are seconds since the Unix epoch.

    Times from are included, times to are not. `code`, `step` and names are matched whole, `reason`
    in part, ignoring case.
    """

    statuses: tuple[str, ...] = ()
    prefix: str = ""
    """The beginning of the order id."""
    customer: str = ""
    sku: str = ""
    """A SKU in a line of the order."""
    currency: str = ""
    amount_from: int | None = None
    """In minor units, as `amount_to`; both are included."""
    amount_to: int | None = None
    code: str = ""
    reason: str = ""
    saga: str = ""
    """The name of the definition; of an order, it is that of the app's orders."""
    step: str = ""
    """A step that the saga waits for."""
    version: int | None = None
    """The version of the saga's definition."""
    started_from: float | None = None
    """The start of the saga."""
    started_to: float | None = None
    ended_from: float | None = None
    ended_to: float | None = None

    @property
    def of_content(self) -> bool:
        """Whether more is asked for than statuses and the beginning of ids."""
        return attrs.evolve(self, statuses=(), prefix="", saga="") != Search()


@attrs.frozen
class Found:
    """Rows, the newest first. `after` is where the next search goes on; None if this was the last.

    `back_to` is the time of the oldest row that was looked at, in seconds since the Unix epoch.
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

    Orders that wait in the log are not found, since nothing but their id is known.
    """
    top = _below(after, _first_above(db, which.started_to))
    bounds = _bounds(db, _order_windows(which), top)
    if bounds is None:
        return Found([], None)
    lowest, full, looked_back_to = bounds
    query = (
        queries.orders_query(saga)
        .add_columns(order_keys.c.no)
        .where(
            *_numbers(_orders.c.no, lowest, top),
            *_of_order(db, which, order_keys.c.order_id),
            *_of_saga(which, saga),
        )
        .limit(limit + 1)
    )
    if which.statuses:
        query = query.where(_orders.c.status.in_(which.statuses))
    return _found(db, query, limit, lowest if full else None, looked_back_to, which)


def search_sagas(db: sa.Connection, which: Search, limit: int, after: int | None = None) -> Found:
    """Return at most `limit` sagas, as `sagas_page` has them, of orders numbered below `after`.

    All sagas of an order are on one page, so that a page may have a few more.
    """
    top = _below(after, _first_above(db, which.started_to))
    bounds = _bounds(db, _saga_windows(which), top)
    if bounds is None:
        return Found([], None)
    lowest, full, looked_back_to = bounds
    query = (
        queries.sagas_query()
        .add_columns(sagas.c.no)
        .where(
            *_numbers(sagas.c.no, lowest, top),
            *_of_order(db, which, sagas.c.order_id),
            *_of_saga(which, which.saga),
        )
        .limit(limit + 1)
    )
    if which.statuses:
        query = query.where(sagas.c.status.in_(which.statuses))
    found = _found(db, query, limit, lowest if full else None, looked_back_to, which)
    if len(found.rows) < limit:
        return found
    return _whole_orders(db, query, found)


def _whole_orders(db: sa.Connection, query: sa.Select[Any], found: Found) -> Found:
    """Return the page with all sagas of its last order."""
    if found.after is None or not found.rows or found.rows[-1]["no"] != found.after:
        return found
    last = found.rows[-1]["no"]
    of_last = [
        dict(row) for row in db.execute(query.limit(None).where(sagas.c.no == last)).mappings()
    ]
    rows = [row for row in found.rows if row["no"] != last] + of_last
    return attrs.evolve(found, rows=rows)


def _found(
    db: sa.Connection,
    query: sa.Select[Any],
    limit: int,
    lowest: int | None,
    looked_back_to: float | None,
    which: Search,
) -> Found:
    rows = [dict(row) for row in db.execute(query).mappings()]
    if len(rows) > limit:
        return Found(rows[:limit], rows[limit - 1]["no"], looked_back_to)
    start = which.started_from
    if start is not None and looked_back_to is not None and looked_back_to < start - DISORDER:
        lowest = None  # everything older began too early
    return Found(rows, lowest, looked_back_to)


# --- windows ---------------------------------------------------------------------------------


def _order_windows(which: Search) -> list[sa.Select[Any]]:
    numbers: Any = sa.select(_orders.c.no, _orders.c.created_at.label("at"))
    if which.customer:
        return [numbers.where(_orders.c.customer_id == which.customer)]
    if which.statuses:
        return [numbers.where(_orders.c.status == status) for status in which.statuses]
    return [numbers]


def _saga_windows(which: Search) -> list[sa.Select[Any]]:
    numbers: Any = sa.select(sagas.c.no, sagas.c.started_at.label("at"))
    if which.customer:  # the sagas of an order have its number
        return _order_windows(attrs.evolve(which, statuses=()))
    if which.statuses:
        return [numbers.where(sagas.c.status == status) for status in which.statuses]
    return [numbers]


def _bounds(
    db: sa.Connection, windows: Sequence[sa.Select[Any]], top: int | None
) -> tuple[int, bool, float | None] | None:
    """Return the lowest number of the window, whether it is full, and the time of its oldest row.

    None if there is nothing in it. With several statuses, the window is as high as the highest of
    theirs that is full, so that nothing between is left out.
    """
    lowest, full = None, False
    oldest: float | None = None
    for window in windows:
        numbers = window.subquery()
        newest: Any = sa.select(numbers.c.no, numbers.c.at).order_by(numbers.c.no.desc())
        if top is not None:
            newest = newest.where(numbers.c.no < top)
        cut = newest.limit(WINDOW).subquery()
        count, low, at = db.execute(
            sa.select(sa.func.count(), sa.func.min(cut.c.no), sa.func.min(cut.c.at))
        ).one()
        if not count:
            continue
        if count == WINDOW:
            lowest, full = (max(low, lowest) if full and lowest is not None else low), True
        elif not full:
            lowest = low if lowest is None else min(low, lowest)
        oldest = at if oldest is None else min(at, oldest)
    return None if lowest is None else (int(lowest), full, oldest)


def _numbers(column: sa.ColumnElement[int], lowest: int, top: int | None) -> Conditions:
    return [column >= lowest] if top is None else [column >= lowest, column < top]


def _below(*tops: int | None) -> int | None:
    return min((top for top in tops if top is not None), default=None)


def _first_above(db: sa.Connection, at: float | None) -> int | None:
    """Return a number above those of all orders that began before `at`; None if it is not known.

    The numbers are in about the order of time: found by halving.
    """
    if at is None:
        return None
    until = at + DISORDER
    newest = sa.select(sagas.c.no, sagas.c.started_at).order_by(sagas.c.no.desc()).limit(1)
    row = db.execute(newest).first()
    if row is None or row[1] <= until:
        return None
    low, high = 0, int(row[0])
    following = sa.select(sagas.c.no, sagas.c.started_at).order_by(sagas.c.no).limit(1)
    while high - low > max(1, WINDOW // 4):
        middle = (low + high) // 2
        at_middle = db.execute(following.where(sagas.c.no >= middle)).first()
        if at_middle is None or at_middle[1] > until:
            high = middle
        else:
            low = middle
    return high + 1


# --- conditions ------------------------------------------------------------------------------


def _of_order(db: sa.Connection, which: Search, order_id: sa.ColumnElement[str]) -> Conditions:
    found: Conditions = []
    if which.prefix:
        # Not LIKE: SQLite's takes no notice of case.
        found.append(sa.func.substr(order_id, 1, len(which.prefix)) == which.prefix)
    if which.customer:
        found.append(_orders.c.customer_id == which.customer)
    if which.sku:
        inside = sa.func.strpos if db.dialect.name == "postgresql" else sa.func.instr
        text = '"sku":' + msgspec.json.encode(which.sku).decode()
        found.append(inside(_orders.c.lines, text) > 0)
    if which.currency:
        found.append(_orders.c.currency == which.currency)
    if which.amount_from is not None:
        found.append(_orders.c.amount >= which.amount_from)
    if which.amount_to is not None:
        found.append(_orders.c.amount <= which.amount_to)
    return found


def _of_saga(which: Search, saga: str) -> Conditions:
    """The conditions of the saga; of an order's own saga or, in a search for sagas, of any."""
    found: Conditions = []
    if which.saga:
        found.append(sagas.c.saga == saga)
    if which.code:
        found.append(sagas.c.code == which.code)
    if which.reason:
        part = which.reason.lower()
        found.append(sa.func.lower(sagas.c.reason).contains(part, autoescape=True))
    if which.step:
        waits = sa.literal(", ") + sagas.c.step + ", "
        found.append(waits.contains(f", {which.step}, ", autoescape=True))
    if which.version is not None:
        found.append(sagas.c.version == which.version)
    for column, start, end in (
        (sagas.c.started_at, which.started_from, which.started_to),
        (sagas.c.ended_at, which.ended_from, which.ended_to),
    ):
        if start is not None:
            found.append(column >= start)
        if end is not None:
            found.append(column < end)
    return found
