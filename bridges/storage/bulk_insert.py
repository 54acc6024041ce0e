"""Many rows to SQLite in few statements: a statement costs more than the row it writes."""

import re
from collections.abc import Sequence
from functools import cache
from itertools import chain
from typing import Any

from order_sagas.bridges.storage.rows import Row

AT_ONCE = (32, 8, 2)
"""Rows in one statement: as many as there are. More than 32 gain nothing more; and with every size
in between, the statements would push one another out of the connection's cache."""

_VALUES = re.compile(r"VALUES (\([?, ]+\))")


@cache
def _for_many(sql: str, rows: int) -> str:
    return _VALUES.sub(lambda found: f"VALUES {', '.join([found[1]] * rows)}", sql, count=1)


def insert(cursor: Any, sql: str, rows: Sequence[Row]) -> None:
    """Run an INSERT of one row, `... VALUES (?, ...) ...`, for each of these rows, in their order.

    What an ON CONFLICT does to a row it also does to one of the same key before it.
    """
    done, count = 0, len(rows)
    for size in AT_ONCE:
        while count - done >= size:
            some = rows[done : done + size]
            cursor.execute(_for_many(sql, size), list(chain.from_iterable(some)))
            done += size
    if done < count:
        cursor.execute(sql, rows[done])
