"""Parts of a batch processor for unit tests: a real store; the other parts are scripted."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from thespian.actors import ActorAddress

from order_sagas.actors.messages import Message, OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.advance import advance
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.call_runners import ImmediateCalls
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.counts import Counts
from order_sagas.bridges.processor.dead_letters import DeadLetters
from order_sagas.bridges.processor.decoder import Decoder
from order_sagas.bridges.processor.deferral import Deferral
from order_sagas.bridges.processor.dispatch import Dispatcher
from order_sagas.bridges.processor.early_replies import EarlyReplies
from order_sagas.bridges.processor.refused_writes import RefusedWrites
from order_sagas.bridges.processor.shard_ownership import ShardOwnership
from order_sagas.bridges.processor.shared_parts import SharedParts
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import ORCHESTRATOR, Route
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.store import Store
from order_sagas.system.bootstrap import Parts, open_context
from order_sagas.system.runtime import VirtualClock
from order_sagas.system.settings import Settings
from tests.support.embedded import BEGAN, an_order

PARTITIONS = 4
COORDINATOR = ActorAddress("coordinator")
ORDERS = ActorAddress("orders")
PAYMENTS = ActorAddress("payments")


class ListLog:
    """Implements `LogAdapter`: its records are a list, and it keeps what is emitted."""

    polls_pauses = False
    needs_commit = False
    selective = False

    def __init__(self, *records: Record) -> None:
        self.records = [*records]
        self.emitted: list[Outgoing] = []
        self.handles_outputs = False
        """Whether a batch handles its own outputs."""
        self.absent: Mapping[str, str] = {}
        self.foreign: Mapping[str, bytes] = {}
        """Orders whose shards are another worker's, each with its key."""

    def open(self) -> None:
        """Return that nothing was claimed."""

    def close(self) -> None:
        """Nothing is open."""

    def receive(self, message: Any, sender: ActorAddress) -> None:
        """It knows no message."""

    def poll(self, batch: Batch, limit: int) -> Sequence[Record]:
        """The first so many records."""
        taken, self.records = self.records[:limit], self.records[limit:]
        return taken

    def routes_here(
        self, batch: Batch, record: Record, message: Message | None, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """All of them."""
        return routes

    def elsewhere(self, item: Item) -> bytes | None:
        """The key of an order of another worker."""
        return self.foreign.get(item.message.order_id)

    def forwards(self, item: Item) -> bool:
        """Always."""
        return True

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Keep it."""
        self.emitted.append(outgoing)
        return self.handles_outputs

    def leave(
        self, batch: Batch, outgoing: Outgoing, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Leave it for nobody."""
        return routes

    def changes(self, batch: Batch, changes: Changes) -> Changes:
        """Add nothing."""
        return changes

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """Nothing is published."""

    def on_database_away(self) -> None:
        """Do nothing."""

    def on_rolled_back(self) -> None:
        """Nothing is claimed."""

    def given_back(self, batch: Batch) -> None:
        """Nothing was handed over."""

    def between_batches(self) -> None:
        """No shard moves."""


class ProcessorParts:
    """Makes parts that share a store and the actors that are known to them.

    It is a `ProcessorHost` too, for log adapters: it notes what they ask of it.
    """

    def __init__(self, directory: Path, **context: Any) -> None:
        self.clock = VirtualClock(BEGAN)
        settings = Settings(
            database=f"sqlite:///{directory / 'orders.db'}", partitions=PARTITIONS, batch_size=10
        )
        parts = Parts(settings=settings, clock=self.clock, call_runner=ImmediateCalls, **context)
        self.posted: list[Any] = []
        self.context: ProcessorContext = open_context(parts, parts.registry, self.posted.append)
        self.sent: list[tuple[ActorAddress, Any]] = []
        self.receivers = {ORCHESTRATOR: COORDINATOR, "orders": ORDERS, "payments": PAYMENTS}
        self.counts = Counts()
        self.ownership = ShardOwnership(self.context, self.receivers, self.send)
        self.log = ListLog()
        self.state = State.IDLE
        self.has_batch = False
        self.asked: list[Any] = []
        """What a log adapter has asked of its processor."""

    @property
    def store(self) -> Store:
        """The database."""
        return self.context.store

    def send(self, target: ActorAddress, message: Any) -> None:
        """Note it."""
        self.sent.append((target, message))

    def dead_letters(self) -> DeadLetters:
        """Emits to `log`."""
        return DeadLetters(self.context, self.counts, self.log.emit)

    def shared(self) -> SharedParts:
        """The parts that the deferral, the reader and the dispatcher share."""
        return SharedParts(
            self.context, self.ownership, self.receivers, self.log, self.dead_letters(),
            Decoder(self.context),
        )  # fmt: skip

    def deferral(self, pauses_changed: Callable[[], None] = lambda: None) -> Deferral:
        """Of the receivers and shards that are known."""
        return Deferral(self.shared(), pauses_changed)

    def dispatcher(self, done: Callable[[Batch], None]) -> Dispatcher:
        """Without pauses."""
        return Dispatcher(
            self.shared(), self.deferral(), EarlyReplies(self.shared()), self.send, done,
            RefusedWrites(self.store),
        )  # fmt: skip

    def item(self, message: Message, topic: str = "order-events") -> Item:
        """A message in a record of its own shard."""
        key = message.order_id.encode()
        value = self.context.wire.encode(message)
        record = Record(topic, partition_for(key, PARTITIONS), 1, key, value)
        return Item(message, topic, record, self.context.routes.of(topic, type(message)))

    def store_sagas(self, *order_ids: str) -> list[SagaState]:
        """Claim every shard, and store a saga in flight for each order."""
        sagas = [a_saga(order_id) for order_id in order_ids]
        epochs = self.store.claim(["log"], [*range(PARTITIONS)]).epochs
        self.store.commit(Changes(sagas=sagas, epochs=epochs), self.clock.now())
        return sagas

    # --- as the host of a log adapter -------------------------------------------------------------

    def gain(self, epochs: Mapping[int, int]) -> None:
        """Own them."""
        self.ownership.restore(epochs)

    def lose(self, shards: frozenset[int]) -> None:
        """Own them no longer."""
        self.ownership.evict(shards)

    def roll_back(self) -> None:
        """Note it."""
        self.asked.append("roll back")

    def proceed_soon(self) -> None:
        """Note it."""
        self.asked.append("proceed")

    def database_is_back(self) -> None:
        """Note it."""
        self.asked.append("database is back")

    def wake_up(self, seconds: float, payload: Any) -> None:
        """Note it."""
        self.asked.append((seconds, payload))


def a_saga(order_id: str) -> SagaState:
    """A saga in flight: its order was created."""
    return advance(PLACE_ORDER, None, OrderCreated(order_id=order_id), BEGAN).progress


def shard_of(order_id: str) -> int:
    """The shard of an order."""
    return partition_for(order_id.encode(), PARTITIONS)


__all__ = ["ListLog", "ProcessorParts", "a_saga", "an_order", "shard_of"]
