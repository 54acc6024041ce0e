"""Ends of the waits of sagas that send a message again while they wait.

Their stored deadline is that of the next repetition.
"""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from order_sagas.actors.sagas.places import states_by_name
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import decode_plain
from order_sagas.bridges.storage.queries.result import Row
from order_sagas.bridges.storage.schema import sagas


def with_ends_of_waits(db: sa.Connection, registry: Registry, rows: Sequence[Row]) -> list[Row]:
    """Return rows of sagas, each with the time at which it gives up waiting as its `deadline`.

    The rows have their `no`. Only the states of sagas in flight are read whose registered
    definition repeats a message; other rows are left as they are.
    """
    repeating = {
        (saga.name, saga.version): saga
        for saga in registry
        if any(step.repeat_every for step in saga.rows)
    }
    waiting = {
        row["no"] for row in rows if row["deadline"] and (row["saga"], row["version"]) in repeating
    }
    if not waiting:
        return list(rows)
    query = sa.select(sagas.c.no, sagas.c.saga, sagas.c.version, sagas.c.state)
    ends: dict[tuple[int, str], float] = {}
    for no, name, version, raw in db.execute(query.where(sagas.c.no.in_(waiting))):
        progress = decode_plain(raw)
        if saga := repeating.get((name, version)):
            states = [state for _, state in states_by_name(saga, progress)]
            end = msgspec.structs.replace(progress, steps=tuple(states)).deadline
            if end is not None:
                ends[no, name] = end
    return [
        {**row, "deadline": ends.get((row["no"], row["saga"]), row["deadline"])} for row in rows
    ]
