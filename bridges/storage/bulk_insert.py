"""Inserts rows into SQLite with few statements: a statement costs more than a row."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from order_sagas.bridges.storage.rows import Row

AT_ONCE = (32, 8, 2)
"""Rows in one statement, in descending order. More than 32 rows are no faster, and more sizes would
evict statements from the connection's cache."""

_VALUES = re.compile(r"VALUES (\([?, ]+\))")


@cache
def _for_many(sql: str, rows: int) -> str:
    return _VALUES.sub(lambda found: f"VALUES {', '.join([found[1]] * rows)}", sql, count=1)


def insert(cursor: Any, sql: str, rows: Sequence[Row]) -> None:
    """Run an INSERT of one row, `... VALUES (?, ...) ...`, for each of the rows, in order.

    ON CONFLICT also applies to an earlier one of the rows with the same key.
    """
    done, count = 0, len(rows)
    for size in AT_ONCE:
        while count - done >= size:
            some = rows[done : done + size]
            cursor.execute(_for_many(sql, size), list(chain.from_iterable(some)))
            done += size
    if done < count:
        cursor.execute(sql, rows[done])
