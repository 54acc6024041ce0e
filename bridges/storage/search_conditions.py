"""Conditions of searches, and the indexes that serve them."""

from collections.abc import Iterator
from typing import Any

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import Order
from order_sagas.bridges.storage.queries import IN_FLIGHT
from order_sagas.bridges.storage.schema import Indexed, order_keys, sagas, table_of

Numbers = Any
"""A query of numbers of orders; the type checkers differ about SQLAlchemy's type of it."""
Conditions = list[sa.ColumnElement[bool]]

_orders = table_of(Order)
_FAILED = sagas.c.code != sa.literal_column("''")
"""As the partial indexes of failures have it."""
_ZERO: Any = sa.literal_column("0")
_LAST = chr(0x10FFFF) * 200
"""A suffix that sorts after every continuation of an id."""


@attrs.frozen(kw_only=True)
class Search:
    """Conditions of a search; an empty one matches any row. Times are seconds since the Unix epoch.

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
        """Whether there are conditions other than statuses and the prefix of ids."""
        return attrs.evolve(self, statuses=(), prefix="", saga="") != Search()


def order_indexes(which: Search) -> Iterator[tuple[Any, bool]]:
    """Yield what each index finds of orders: numbers, and whether it is for a range of values."""
    yield from _indexes(which)
    if which.statuses:
        yield sa.select(_orders.c.no).where(_orders.c.status.in_(which.statuses)), False


def saga_indexes(which: Search) -> Iterator[tuple[Any, bool]]:
    """Yield what each index finds of sagas, as `order_indexes` does."""
    yield from _indexes(which)
    if which.statuses:
        yield sa.select(sagas.c.no).where(sagas.c.status.in_(which.statuses)), False


def id_index(which: Search) -> Iterator[tuple[Any, bool]]:
    """Yield what the index of ids finds, as `order_indexes` does."""
    if which.prefix:
        ids = order_keys.c.order_id
        yield (
            sa.select(order_keys.c.no).where(ids >= which.prefix, ids <= which.prefix + _LAST),
            True,
        )


def _indexes(which: Search) -> Iterator[tuple[Any, bool]]:
    """Without those of statuses, which orders and sagas have of their own."""
    yield from id_index(which)
    numbers: Any = sa.select(_orders.c.no)
    if which.customer:
        yield numbers.where(_orders.c.customer_id == which.customer), False
    if amounts := _between(_orders.c.amount, which.amount_from, which.amount_to):
        yield numbers.where(*amounts), True
    numbers = sa.select(sagas.c.no)
    if which.code:
        yield numbers.where(*_of_code(which.code)), False
    if which.step:
        yield numbers.where(sagas.c.status.in_(IN_FLIGHT)), False
    if which.version is not None:
        yield numbers.where(sagas.c.version == which.version), False
    if which.reason:
        yield numbers.where(_FAILED), False
    if ends := _before(sagas.c.ended_at, which.ended_from, which.ended_to):
        yield numbers.where(*ends, sagas.c.ended_at.is_not(None)), True


def _of_code(code: str) -> Conditions:
    """The condition of the code, so that its index can be used."""
    indexed: Any = Indexed(sagas.c.code)
    return [indexed == Indexed(sa.literal(code)), sagas.c.code == code, _FAILED]


def _between(column: Any, low: Any, high: Any) -> Conditions:
    """Both ends included; an end that is None does not limit it."""
    found = [] if low is None else [column >= low]
    return found if high is None else [*found, column <= high]


def _before(column: Any, low: Any, high: Any) -> Conditions:
    """From `low` on and below `high`; an end that is None does not limit it."""
    found = [] if low is None else [column >= low]
    return found if high is None else [*found, column < high]


# --- conditions ------------------------------------------------------------------------------


def of_id(which: Search, order_id: sa.ColumnElement[str]) -> Conditions:
    """The condition of the order's id, which is in this column."""
    if not which.prefix:
        return []
    # Not LIKE: in SQLite it ignores case.
    return [sa.func.substr(order_id, 1, len(which.prefix)) == which.prefix]


def of_order(db: sa.Connection, which: Search) -> Conditions:
    """The conditions of the order but for its id, all of columns of orders."""
    found: Conditions = []
    if which.customer:
        found.append(_orders.c.customer_id == which.customer)
    if which.sku:
        inside = sa.func.strpos if db.dialect.name == "postgresql" else sa.func.instr
        text = '"sku":' + msgspec.json.encode(which.sku).decode()
        found.append(inside(_orders.c.lines, text) > 0)
    if which.currency:
        found.append(_orders.c.currency == which.currency)
    # Not the bare columns of ranges: within a window, their index must not be chosen.
    return found + _between(_orders.c.amount + _ZERO, which.amount_from, which.amount_to)


def of_saga(which: Search, saga: str) -> Conditions:
    """The conditions of the saga; of an order's own saga or, in a search for sagas, of any."""
    found: Conditions = []
    if which.saga:
        found.append(sagas.c.saga == saga)
    if which.code:
        found += _of_code(which.code)
    if which.reason:
        part = which.reason.lower()
        found += [sa.func.lower(sagas.c.reason).contains(part, autoescape=True), _FAILED]
    if which.step:
        found.append(sagas.c.ended_at.is_(None))
        waits = sa.literal(", ") + sagas.c.step + ", "
        found.append(waits.contains(f", {which.step}, ", autoescape=True))
    if which.version is not None:
        # Failures are fewer than the sagas of a version: their index is to be chosen.
        failed = which.code or which.reason
        found.append((sagas.c.version + _ZERO if failed else sagas.c.version) == which.version)
    return (
        found
        + _before(sagas.c.started_at, which.started_from, which.started_to)
        + _before(sagas.c.ended_at + _ZERO, which.ended_from, which.ended_to)
    )
