"""Ids of orders and sagas that begin with a prefix, for completion: a few, found by an index."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from order_sagas.bridges.storage.schema import order_keys, sagas

_LOOKED_AT = 5000
"""Maximum number of rows to read, so that an answer comes soon in a large database."""
_LAST = chr(0x10FFFF) * 200
"""A suffix that sorts after every continuation of an id."""


def order_ids(db: sa.Connection, prefix: str, limit: int) -> list[str]:
    """Return at most `limit` ids of orders with the prefix; without a prefix, the newest."""
    is_order = sa.or_(
        order_keys.c.fingerprint.is_not(None),
        sa.exists().where(sagas.c.no == order_keys.c.no),  # of a saga that no order started
    )
    found = _keys(prefix).subquery()
    query = (
        sa.select(found.c.order_id)
        .join(order_keys, order_keys.c.no == found.c.no)
        .where(is_order)
        .limit(limit)
    )
    return [order_id for (order_id,) in db.execute(query)]


def saga_ids(
    db: sa.Connection, prefix: str, statuses: Sequence[str], limit: int
) -> list[tuple[str, str]]:
    """Return name and order id of at most `limit` sagas in these statuses.

    Their order ids begin with `prefix`; without a prefix, they are the newest.
    """
    query = sa.select(sagas.c.saga, sagas.c.order_id).where(sagas.c.status.in_(statuses))
    if prefix:
        found = _keys(prefix).subquery()
        query = query.join(found, found.c.no == sagas.c.no)
    else:
        query = query.order_by(sagas.c.no.desc())
    return [(saga, order_id) for saga, order_id in db.execute(query.limit(limit))]


def _keys(prefix: str) -> Any:
    """The numbers and ids of at most `_LOOKED_AT` keys."""
    keys = order_keys.c
    query = sa.select(keys.no, keys.order_id).limit(_LOOKED_AT)
    if not prefix:
        return query.order_by(keys.no.desc())
    return query.where(keys.order_id >= prefix, keys.order_id <= prefix + _LAST).order_by(
        keys.order_id
    )
