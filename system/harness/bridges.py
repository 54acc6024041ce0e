"""The bridges of a harness: the real one, with records that may go astray on their way."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
from thespian.actors import ActorAddress

from actors.delivery import Delivery
from actors.participants import DEAD_LETTERS
from actors.services.service import Service
from bridges.batch import Batch
from bridges.bridge import Bridge
from bridges.embedded import EmbeddedBridge
from bridges.record import Outgoing, Record
from bridges.store.queues import TO_READ
from bridges.store.store import Changes
from bridges.world import World
from system.harness.database import WatchedStore

if TYPE_CHECKING:
    from system.harness.stage import Stage


PARTLY = 0.3
"""How often a partition hands over only some of what it has."""


class Staged(Bridge):
    """A bridge whose database and records are the harness's."""

    stage: ClassVar["Stage"]

    def watch_store(self) -> World:
        """Make the store a watched one; the world as it is then."""
        known: object = self._world.store
        if not isinstance(known, WatchedStore):
            self.stage.stores.append(self._world.store)
            store = WatchedStore(self._world.store, self.stage.database)
            self._world = attrs.evolve(  # what is told is handled once time is given to the worker
                self._world,
                store=store,  # type: ignore[arg-type]
                tell=partial(self._myRef.base.inject, self.myAddress, self.myAddress),
            )
        return self._world

    def send(self, target: ActorAddress, message: Any) -> None:
        troubles = self.stage.troubles
        if type(message) is not Delivery or not troubles:
            super().send(target, message)
            return
        service = getattr(target, "actor", None)
        if not isinstance(service, Service):
            super().send(target, message)
            return
        put, name = self._myRef.base.inject, service.participant.name
        for each in troubles.meddle(name, put, self.myAddress, target, message):
            super().send(target, each)

    def given_back(self, batch: Batch) -> None:
        super().given_back(batch)
        self.stage.placed.clear()
        self.stage.held.clear()


class HarnessEmbeddedBridge(EmbeddedBridge, Staged):
    """The bridge to the embedded log. A record that a fault hits is not handled in its batch."""

    def open_log(self) -> None:
        self.watch_store()
        super().open_log()

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        stage = self.stage
        stage.placed.append(outgoing)
        arrives = outgoing.topic == DEAD_LETTERS or not stage.meddling
        trips = None if arrives else stage.meddling.trips(outgoing)
        if trips is None:
            return super().place(batch, outgoing, shard)
        handled_here = False
        for trip in trips:
            if trip.wait < 0:
                handled_here = super().place(batch, trip.outgoing, shard)
            elif trip.wait == 0:
                batch.appended.append((trip.outgoing, TO_READ))
            else:
                stage.held.append(trip)
        return handled_here


class HarnessTopicsBridge(Staged):
    """A bridge to topics in memory: at-least-once, with an outbox, as the one to Kafka.

    Which partitions a batch reads, and how far, is drawn at random, as a broker's answers are.
    """

    def __init__(self) -> None:
        super().__init__()
        self._positions: dict[tuple[str, int], int] = {}
        self._published: list[int] = []

    def open_log(self) -> None:
        world = self.watch_store()
        store = world.store
        shards = list(range(store.partitions))
        topics = [topic for topic in world.routes.topics if topic != DEAD_LETTERS]
        claim = store.claim(topics, shards)
        self._positions = dict(claim.offsets)
        self._published = []
        self.gain(claim.epochs)
        self._publish(store.unpublished(shards))

    def take(self, batch: Batch, limit: int) -> Sequence[Record]:
        stage = self.stage
        stage.database.before_read()
        positions = self._positions
        places = [
            place
            for place, end in stage.topics.ends()
            if place in positions and positions[place] < end
        ]
        stage.rng.shuffle(places)
        taken: list[Record] = []
        for place in places:
            before = self._positions[place]
            records = stage.topics.read(place, before, limit - len(taken))
            if records:
                if stage.rng.random() < PARTLY:
                    records = records[: stage.rng.randint(1, len(records))]
                batch.offsets[place] = (before, records[-1].offset + 1)
                taken += records
        return taken

    def place(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        self.stage.placed.append(outgoing)
        batch.outbox.append((shard, outgoing))
        return False

    def changes(self, batch: Batch) -> Changes:
        return attrs.evolve(super().changes(batch), published=list(self._published))

    def committed(self, batch: Batch, outbox: list[int]) -> None:
        for place, (_, after) in batch.offsets.items():
            self._positions[place] = after
        self._published = []
        records = [outgoing for _, outgoing in batch.outbox]
        self._publish(list(zip(outbox, records, strict=True)))

    def _publish(self, records: list[tuple[int, Outgoing]]) -> None:
        for number, outgoing in records:
            self.stage.publish(outgoing)
            self._published.append(number)
        if records:
            self._world.watch("after publish")

    def rolled_back(self) -> None:
        self.open_log()
