"""Which operators' commands need the approval of a second person: those about much money."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from order_sagas.actors.entities import Order
from order_sagas.actors.messages import CancelSaga, OperatorCommand, RepairDeadlines
from order_sagas.bridges.storage.schema import order_keys, sagas, table_of

_orders = table_of(Order)


def needing_approval(
    db: sa.Connection, commands: Sequence[OperatorCommand], limits: Mapping[str, int]
) -> set[int]:
    """Return the places of the commands that need an approval.

    Those that cancel an order, or go on with its compensation, if the amount of the order exceeds
    the limit of its currency. `limits` are in minor units, by currency.
    """
    wanted = [each for each in commands if not isinstance(each, RepairDeadlines)]
    query: Any = (
        sa.select(
            order_keys.c.order_id, sagas.c.saga, sagas.c.code, _orders.c.amount, _orders.c.currency
        )
        .select_from(
            order_keys.join(_orders, _orders.c.no == order_keys.c.no).join(
                sagas, sagas.c.no == order_keys.c.no
            )
        )
        .where(order_keys.c.order_id.in_({each.order_id for each in wanted}))
    )
    known = {
        (row.order_id, row.saga): (
            bool(row.code),
            row.currency in limits and row.amount > limits[row.currency],
        )
        for row in db.execute(query)
    }
    found = set()
    for place, command in enumerate(commands):
        compensating, exceeds = known.get((command.order_id, command.saga), (False, False))
        undoes = compensating or isinstance(command, CancelSaga)
        if exceeds and undoes and not isinstance(command, RepairDeadlines):
            found.add(place)
    return found
