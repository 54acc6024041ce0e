"""Shards that come and go: what their actors get back from the store, and what they give up."""

from collections.abc import Iterable, Sequence
from itertools import islice

import structlog
from thespian.actors import ActorAddress

from actors.delivery import Handled, Release, Restore, RestoreEntities, timer_ticket
from actors.entities import Entity
from actors.messages import Message, OperatorCommand
from actors.sagas.progress import saga_id_of
from bridges.batch import Item
from bridges.log_side import LogSide
from bridges.partitions import partition_for
from bridges.routes import ORCHESTRATOR

log = structlog.get_logger("bridge")

RESTORE_AT_ONCE = 1000
"""Sagas in one message to their coordinator."""


class Shards(LogSide):
    """Which shards are ours, which sagas are in flight, and where their actors are."""

    def gain(self, epochs: dict[int, int]) -> None:
        """These shards are ours now: give the actors what the store knows of them.

        Call it between batches. Sagas come back in the order of their deadlines, so that overdue
        ones fire in it.
        """
        self._epochs.update(epochs)
        self._restore_sagas(sorted(epochs))
        for service in self._world.services:
            address = self._receivers.get(service.participant.name)
            if address is not None and service.memory:
                owned = [entity for kind in service.memory for entity in self._owned(kind)]
                self.send(address, RestoreEntities(owned))
        self._outcomes.bring_back()
        self._owed.begin()
        self._proceed_soon()

    def lose(self, shards: frozenset[int]) -> None:
        """These shards are ours no longer: release their sagas. Call it between batches."""
        for shard in shards:
            self._epochs.pop(shard, None)
        coordinator = self._receivers.get(ORCHESTRATOR)
        if coordinator is None:
            return
        partitions = self._world.store.partitions
        gone = [
            saga_id
            for saga_id in self._in_flight
            if partition_for(saga_id.partition("/")[2].encode(), partitions) in shards
        ]
        for saga_id in gone:
            del self._in_flight[saga_id]
        # What their timers did while the last batch was being stored is the next owner's to do.
        self._early = {i: early for i, early in self._early.items() if i in self._in_flight}
        self.send(coordinator, Release(gone))

    def lose_all(self) -> None:
        """No shard is ours any more. Outcomes of calls are kept: the shards may come back."""
        self._outcomes.drop_reminders()
        self._epochs.clear()
        self._in_flight.clear()
        if ORCHESTRATOR in self._receivers:
            self.send(self._receivers[ORCHESTRATOR], Release())

    def _restore_sagas(self, shards: Sequence[int]) -> None:
        coordinator = self._receivers.get(ORCHESTRATOR)
        if coordinator is None:
            return
        self._restores += 1
        count = 0
        in_flight = self._world.store.in_flight(shards)
        while chunk := list(islice(in_flight, RESTORE_AT_ONCE)):
            count += len(chunk)
            for progress in chunk:
                self._in_flight[progress.saga_id] = self._restores
            self.send(coordinator, Restore(chunk, self._restores))
        if count:
            log.info("sagas.restored", count=count, shards=len(shards))

    def _owned(self, kind: type[Entity]) -> list[Entity]:
        partitions = self._world.store.partitions
        return [
            entity
            for entity in self._world.store.all_of(kind)
            if partition_for(getattr(entity, kind.key[0]).encode(), partitions) in self._epochs
        ]

    def _is_current(self, handled: Handled, sender: ActorAddress) -> bool:
        """Whether what a timer did was done by the saga actor that now stands for the saga."""
        known = self._in_flight.get(handled.writes[0].saga_id)  # type: ignore[union-attr]
        if type(known) is int:
            return handled.ticket == timer_ticket(known)
        return known is not None and known == sender

    def key_elsewhere(self, item: Item) -> bytes | None:
        """The key of what an item is about, if a shard of another worker holds that."""
        partitions = self._world.store.partitions
        for route in item.routes:
            if route.receiver in self._receivers:
                key = route.keyed_by(item.message).encode()
                if partition_for(key, partitions) not in self._epochs:
                    return key
        return None

    def _is_in_flight(self, message: Message) -> bool:
        in_flight = self._in_flight
        if message.saga_id in in_flight and type(message) not in self._world.registry.started_by:
            return True  # by far the most messages
        return any(saga_id in in_flight for saga_id in self._sagas_for(message))

    def _sagas_for(self, message: Message) -> Sequence[str]:
        """The ids of the sagas that a message may be for; an order may have several sagas."""
        registry, kind = self._world.registry, type(message)
        saga = registry.started_by.get(kind)
        if saga:
            return (saga_id_of(saga.name, message.order_id),)
        if message.saga_id:
            return (message.saga_id,)
        names: Iterable[str] = registry.answered_by.get(kind, ())
        if isinstance(message, OperatorCommand):
            names = (message.saga,) if message.saga else registry.newest
        return [saga_id_of(name, message.order_id) for name in names]
