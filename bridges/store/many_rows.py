"""Many rows to SQLite in few statements: a statement costs more than the row it writes."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from bridges.store.rows import Row

AT_ONCE = 32
"""Rows in one statement. Twice as many gain nothing more; those left over go one by one."""

_VALUES = re.compile(r"VALUES (\([?, ]+\))")


@cache
def _for_many(sql: str) -> str:
    return _VALUES.sub(lambda found: f"VALUES {', '.join([found[1]] * AT_ONCE)}", sql, count=1)


def insert(cursor: Any, sql: str, rows: Sequence[Row]) -> None:
    """Run an INSERT of one row, `... VALUES (?, ...) ...`, for each of these rows, in their order.

    What an ON CONFLICT does to a row it also does to one of the same key before it.
    """
    whole = len(rows) - len(rows) % AT_ONCE
    if whole:
        many = _for_many(sql)
        for i in range(0, whole, AT_ONCE):
            cursor.execute(many, list(chain.from_iterable(rows[i : i + AT_ONCE])))
    if whole < len(rows):
        cursor.executemany(sql, rows[whole:])
