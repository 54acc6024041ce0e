"""The calls that the database says are owed, read a page at a time, as there is room for them."""

from collections.abc import Collection, Sequence

from actors.entities import Entity
from actors.messages import Message
from actors.services.service import Service
from bridges.external_calls import ExternalCalls
from bridges.store.store import Store

Kind = tuple[type[Service], type[Entity]]

LARGEST_PAGE = 1000
"""Rows of one query, of which most are of calls that are under way."""


class OwedCalls:
    """Makes reminders of the entities that are `pending`: messages that ask for their calls again.

    It begins when shards are gained, and again when calls were refused for want of capacity.
    However many calls are owed, no more of them are in memory than a batch and the capacity take.
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
        """How far each table was read, by order number; what is missing was read to its end."""
        self._again: set[Kind] = set()
        """Tables to read once more from the beginning after that."""

    @property
    def waiting(self) -> bool:
        """Whether there may be calls that are owed and not under way."""
        return bool(self._after) or self._calls.refused

    def begin(self) -> None:
        """Read all from the beginning: shards were gained."""
        self._after = dict.fromkeys(self._kinds, 0)
        self._again.clear()

    def next(
        self, limit: int, shards: Sequence[int], paused: Collection[str] = ()
    ) -> list[Message]:
        """Reminders for these shards, at most `limit`; none for services that are paused."""
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
                self._read_to_end(kind)
                return found
            page = min(2 * page, LARGEST_PAGE)

    def _read_to_end(self, kind: Kind) -> None:
        if kind in self._again:
            self._again.discard(kind)
            self._after[kind] = 0
        else:
            del self._after[kind]
