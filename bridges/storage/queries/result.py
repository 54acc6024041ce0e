"""Rows of a result as dicts, and queries put together of limited ones."""

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

Row = dict[str, Any]


def rows_of(db: sa.Connection, query: sa.Select[Any]) -> list[Row]:
    """Run a query and return its rows, each as a dict by column name."""
    result = db.execute(query)
    names = [*map(str, result.keys())]  # SQLAlchemy's own are of a subclass
    return [dict(zip(names, row, strict=True)) for row in result]


def any_of(parts: Sequence[sa.Select[tuple[int]]]) -> Any:
    """Return a query for the numbers that any of these finds; each may have a limit."""
    return sa.union_all(*(sa.select(part.subquery().c.no) for part in parts))
