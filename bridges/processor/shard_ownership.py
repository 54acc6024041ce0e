"""The shards that a processor owns, the sagas in flight on them, and their actors.

A shard that is gained is restored: its sagas in flight are read from the store and sent to the
coordinator. A shard that is lost is evicted: the actors of its sagas are released.
"""

from collections.abc import Callable, Mapping, Sequence
from itertools import islice
from typing import Any

import structlog
from thespian.actors import ActorAddress

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import Ack, EvictSagas, Restore, RestoreEntities, timer_ticket
from order_sagas.bridges.processor.batch import Item
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.routing import ORCHESTRATOR

log = structlog.get_logger("processor")

RESTORE_AT_ONCE = 1000
"""Maximum number of sagas in one message to the coordinator."""


class ShardOwnership:
    """Tracks which shards are owned and which sagas are in flight; restores and evicts them.

    `receivers` are the actors that take messages, by name; `send` sends a message to an actor.
    """

    def __init__(
        self,
        context: ProcessorContext,
        receivers: Mapping[str, ActorAddress],
        send: Callable[[ActorAddress, Any], None],
    ) -> None:
        self._context = context
        self._receivers = receivers
        self._send = send
        self._restores = 0
        self.epochs: dict[int, int] = {}
        """The owned shards, each with the epoch in which it was claimed."""
        self.in_flight: dict[str, ActorAddress | int] = {}
        """Every saga in flight: its address, or the number of its restore until it has answered."""

    # --- gaining and losing shards ------------------------------------------------------------

    def restore(self, epochs: Mapping[int, int]) -> None:
        """Own these shards, and send the actors what is stored about them.

        Call it between batches. Sagas are restored in the order of their deadlines, so that overdue
        deadlines fire in that order.
        """
        self.epochs.update(epochs)
        self._restore_sagas(sorted(epochs))
        for service in self._context.services:
            address = self._receivers.get(service.participant.name)
            if address is not None and service.memory:
                owned = [entity for kind in service.memory for entity in self._owned(kind)]
                self._send(address, RestoreEntities(owned))

    def evict(self, shards: frozenset[int]) -> None:
        """Own these shards no longer, and release their sagas. Call it between batches."""
        for shard in shards:
            self.epochs.pop(shard, None)
        coordinator = self._receivers.get(ORCHESTRATOR)
        if coordinator is None:
            return
        partitions = self._context.store.partitions
        gone = [
            saga_id
            for saga_id in self.in_flight
            if partition_for(saga_id.partition("/")[2].encode(), partitions) in shards
        ]
        for saga_id in gone:
            del self.in_flight[saga_id]
        self._send(coordinator, EvictSagas(gone))

    def evict_all(self) -> None:
        """Own no shard, and release every saga."""
        self.epochs.clear()
        self.in_flight.clear()
        if ORCHESTRATOR in self._receivers:
            self._send(self._receivers[ORCHESTRATOR], EvictSagas())

    def _restore_sagas(self, shards: Sequence[int]) -> None:
        coordinator = self._receivers.get(ORCHESTRATOR)
        if coordinator is None:
            return
        self._restores += 1
        count = 0
        in_flight = self._context.store.in_flight(shards)
        while chunk := list(islice(in_flight, RESTORE_AT_ONCE)):
            count += len(chunk)
            for progress in chunk:
                self.in_flight[progress.saga_id] = self._restores
            self._send(coordinator, Restore(chunk, self._restores))
        if count:
            log.info("sagas.restored", count=count, shards=len(shards))

    def _owned(self, kind: type[Entity]) -> list[Entity]:
        partitions = self._context.store.partitions
        return [
            entity
            for entity in self._context.store.all_of(kind)
            if partition_for(getattr(entity, kind.key[0]).encode(), partitions) in self.epochs
        ]

    # --- which saga, and where ----------------------------------------------------------------

    def is_current(self, handled: Ack, sender: ActorAddress) -> bool:
        """Whether the ack of a timer comes from the current actor of its saga."""
        known = self.in_flight.get(handled.writes[0].saga_id)  # type: ignore[union-attr]
        if type(known) is int:
            return handled.ticket == timer_ticket(known)
        return known is not None and known == sender

    def key_elsewhere(self, item: Item) -> bytes | None:
        """Return the key of the item's entity if another worker owns its shard, else None."""
        partitions = self._context.store.partitions
        for route in item.routes:
            if route.receiver in self._receivers:
                key = route.keyed_by(item.message).encode()
                if partition_for(key, partitions) not in self.epochs:
                    return key
        return None

    def is_in_flight(self, message: Message) -> bool:
        """Whether a message is for a saga in flight."""
        in_flight = self.in_flight
        if message.saga_id in in_flight and type(message) not in self._context.registry.started_by:
            return True  # the case of most messages
        return not in_flight.keys().isdisjoint(self._context.registry.saga_ids_of(message))
