"""Finds the deliveries whose results the database refuses, so that the others can be committed.

A commit stores the results of many deliveries, and says only that one of them cannot be stored: a
constraint of a shop's own table, a key too large for an index, a text that is no UTF-8. Parts of
the batch are then stored in transactions that are rolled back, until the deliveries at fault are
known. The batch is repeated without these: each one's record becomes a dead letter.
"""

from collections.abc import Iterable, Sequence

import structlog

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import NO_BATCH, Ack
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.errors import UnstorableError
from order_sagas.bridges.processor.batch import Batch, Ticket, identity_of
from order_sagas.bridges.records.routing import Route
from order_sagas.bridges.storage.store import Store

log = structlog.get_logger("processor")

AT_ONCE = 32
"""Maximum deliveries to find before the batch is repeated: each costs some transactions."""
MOST_KNOWN = 1000
"""Deliveries at fault that are remembered. One that is forgotten is found again."""

Key = tuple[str, type[Message], str, str]
"""Receiver, class of the message, order id and event id of a delivery: equal when repeated."""


class RefusedWrites:
    """Deliveries whose results the database refused, each with its error, until committed."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._known: dict[Key, str] = {}

    def __bool__(self) -> bool:
        """Whether any is known."""
        return bool(self._known)

    def error(self, route: Route, message: Message) -> str | None:
        """Return why the database refused the results of this delivery; None if it did not."""
        return self._known.get(_key(route, message))

    def committed(self, batch: Batch) -> None:
        """Forget what the committed batch left out: its dead letters are stored."""
        for route, message in batch.refused:
            self._known.pop(_key(route, message), None)

    def find(self, batch: Batch, error: UnstorableError) -> None:
        """Find deliveries of the batch whose results cannot be stored, at most AT_ONCE.

        Raises UnstorableError if no delivery is at fault, and StoreUnavailableError.
        """
        acks = [ack for ack in batch.acks if ack.writes]
        found: set[Key] = set()
        while len(found) < AT_ONCE and (problem := self._problem(acks)):
            at, reason = self._first(acks, problem)
            ack = acks[at]
            if ack.batch == NO_BATCH:
                raise UnstorableError(f"{_saga_of(ack)} cannot be stored: {reason}") from error
            ticket: Ticket = batch.tickets[ack.ticket]
            key = _key(ticket.route, ticket.item.message)
            if key in self._known and key not in found:
                raise error  # it was left out, and is here again
            found.add(key)
            self._know(key, str(reason))
            log.warning("delivery.not_stored", receiver=key[0], order_id=key[2], error=str(reason))
            # What follows from it is not looked at: it does not happen when the batch is repeated.
            acks = acks[:at] + [each for each in acks[at:] if _order_of(batch, each) != key[2]]
        if not found:
            raise error

    def _first(self, acks: Sequence[Ack], error: UnstorableError) -> tuple[int, UnstorableError]:
        """Return the place of an ack that cannot be stored after those before it, and why."""
        stored, refused = 0, len(acks)  # so many can be stored, and so many cannot
        while refused - stored > 1:
            middle = (stored + refused) // 2
            if problem := self._problem(acks[:middle]):
                refused, error = middle, problem
            else:
                stored = middle
        return refused - 1, error

    def _problem(self, acks: Iterable[Ack]) -> UnstorableError | None:
        """Return why the results of these deliveries cannot be stored together; None if they can.

        Of several writes of one entity the last one counts, as in a batch.
        """
        sagas: dict[str, SagaState] = {}
        entities: dict[tuple[type, object], Entity] = {}
        for ack in acks:
            for write in ack.writes:
                if isinstance(write, SagaState):
                    sagas[write.saga_id] = write
                else:
                    entities[type(write), identity_of(type(write))(write)] = write
        try:
            self._store.try_writes(entities.values(), sagas.values())
        except UnstorableError as error:
            return error
        return None

    def _know(self, key: Key, error: str) -> None:
        while len(self._known) >= MOST_KNOWN:
            del self._known[next(iter(self._known))]
        self._known[key] = error


def _key(route: Route, message: Message) -> Key:
    return route.receiver, type(message), message.order_id, message.event_id


def _order_of(batch: Batch, ack: Ack) -> str:
    if ack.batch == NO_BATCH:
        return next((each.order_id for each in ack.writes if isinstance(each, SagaState)), "")
    return batch.tickets[ack.ticket].item.message.order_id


def _saga_of(ack: Ack) -> str:
    ids = [each.saga_id for each in ack.writes if isinstance(each, SagaState)]
    return f"saga {', '.join(ids)}"
