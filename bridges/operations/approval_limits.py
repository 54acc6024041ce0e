"""Which operators' commands need the approval of a second person: those about large amounts."""

from collections.abc import Mapping, Sequence

from order_sagas.actors.messages import CancelSaga, OperatorCommand, RepairDeadlines
from order_sagas.bridges.storage.connection import Connection

_FIND = (
    "SELECT k.order_id, s.saga, s.code, o.amount, o.currency FROM order_keys k "
    "JOIN orders o ON o.no = k.no JOIN sagas s ON s.no = k.no WHERE k.order_id "
)


def needing_approval(
    db: Connection, commands: Sequence[OperatorCommand], limits: Mapping[str, int]
) -> set[int]:
    """Return the places of the commands that need an approval.

    Those that cancel an order, or go on with its compensation, if the amount of the order exceeds
    the limit of its currency. `limits` are in minor units, by currency. A command without the name
    of a saga is for any saga of its order.
    """
    wanted = {each.order_id for each in commands if not isinstance(each, RepairDeadlines)}
    exceeding, compensating = set(), set()
    if wanted and limits:
        find = _FIND + db.is_in("text")
        for order_id, saga, code, amount, currency in db.rows(find, (db.many([*wanted], str),)):
            if currency in limits and amount > limits[currency]:
                exceeding.add(order_id)
            if code:
                compensating |= {(order_id, saga), (order_id, "")}
    return {
        place
        for place, command in enumerate(commands)
        if command.order_id in exceeding
        and not isinstance(command, RepairDeadlines)
        and (isinstance(command, CancelSaga) or (command.order_id, command.saga) in compensating)
    }
