"""Finds pending external calls in the database, a page at a time, as capacity allows."""

from collections.abc import Collection, Sequence

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.services.service import Service
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.storage.store import Store

Kind = tuple[type[Service], type[Entity]]

LARGEST_PAGE = 1000
"""Maximum rows of a query; most rows of a large page are of calls under way."""


class OwedCalls:
    """Creates reminders for entities that are `pending`: messages that request their calls again.

    Reading begins when shards are gained, and again when calls were refused for lack of capacity.
    At most as many calls are in memory as a batch and the capacity allow.
    """

    def __init__(
        self, store: Store, calls: ExternalCalls, services: Sequence[type[Service]]
    ) -> None:
        self._store = store
        self._calls = calls
        self._kinds = [
            (service, kind)
            for service in services
            if service.reminder
            for kind in dict.fromkeys((service.entity, *service.entity_of.values()))
            if kind.pending
        ]
        self._after: dict[Kind, int] = {}
        """Last order number read of each table, without tables that were read to their end."""
        self._again: set[Kind] = set()
        """Tables to read again from the beginning after that."""

    @property
    def waiting(self) -> bool:
        """Whether there may be pending calls that are not under way."""
        return bool(self._after) or self._calls.refused

    def begin(self) -> None:
        """Read all tables from the beginning. Call it when shards were gained."""
        self._after = dict.fromkeys(self._kinds, 0)
        self._again.clear()

    def next(
        self, limit: int, shards: Sequence[int], paused: Collection[str] = ()
    ) -> list[Message]:
        """Return at most `limit` reminders for these shards, none for services in `paused`."""
        if self._calls.refused:
            self._note_refused()
        found: list[Message] = []
        for kind in [*self._after]:
            if len(found) < limit and kind[0].participant.name not in paused:
                found += self._read(kind, limit - len(found), shards)
        return found

    def _note_refused(self) -> None:
        refused = self._calls.take_refused()
        for kind in self._kinds:
            if kind[0].participant.name in refused:
                if kind in self._after:
                    self._again.add(kind)
                else:
                    self._after[kind] = 0

    def _read(self, kind: Kind, limit: int, shards: Sequence[int]) -> list[Message]:
        service, entity_class = kind
        name, calls, reminder = service.participant.name, self._calls, service.reminder
        room = calls.room(name)
        if room <= calls.capacity // 2:
            return []  # not one query for each call that ends
        assert reminder
        found: list[Message] = []
        limit = page = min(limit, room)
        while True:
            rows = self._store.owed(entity_class, shards, self._after[kind], page)
            for no, order_id in rows:
                self._after[kind] = no
                if not calls.is_under_way(name, order_id):
                    found.append(reminder(order_id=order_id))
                    if len(found) == limit:
                        return found
            if len(rows) < page:
                # Without a reminder no batch would follow, and the table would not be read again.
                if not self._begin_again(kind) or found:
                    return found
                page = limit
            else:
                page = min(2 * page, LARGEST_PAGE)

    def _begin_again(self, kind: Kind) -> bool:
        """Note that the table was read to its end; return whether to read it again."""
        if kind in self._again:
            self._again.discard(kind)
            self._after[kind] = 0
            return True
        del self._after[kind]
        return False
