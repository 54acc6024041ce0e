"""The port between a batch processor and a log: what each kind of log does in its own way."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from thespian.actors import ActorAddress

from order_sagas.actors.messages import Message
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.counts import Counts
from order_sagas.bridges.processor.shard_ownership import ShardOwnership
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import Route
from order_sagas.bridges.storage.store import Changes


class ProcessorHost(Protocol):
    """What a log adapter asks of the processor that it belongs to. Used on the loop's thread."""

    context: ProcessorContext
    ownership: ShardOwnership
    receivers: dict[str, ActorAddress]
    """The actors of this process that take messages, by name."""
    counts: Counts

    @property
    def state(self) -> State:
        """What the processor is doing."""
        ...

    @property
    def has_batch(self) -> bool:
        """Whether a batch is open, or was broken off and is not rolled back yet."""
        ...

    def gain(self, epochs: Mapping[int, int]) -> None:
        """These shards were claimed: restore their actors. Call it between batches."""
        ...

    def lose(self, shards: frozenset[int]) -> None:
        """These shards are not owned any more: release their sagas. Call it between batches."""
        ...

    def roll_back(self) -> None:
        """Drop the batch, and restore every actor from the store."""
        ...

    def proceed_soon(self) -> None:
        """There may be something to handle: begin a batch, if none is open."""
        ...

    def database_is_back(self) -> None:
        """The database has answered: end its outage."""
        ...

    def wake_up(self, seconds: float, payload: Any) -> None:
        """After so many seconds, call `LogAdapter.receive` with a WakeupMessage of this payload."""
        ...


class LogAdapter(Protocol):
    """Reads records from a log, and has outgoing records stored for it.

    Every method is called on the loop's thread. Those that read or write the database raise
    StoreUnavailableError if it cannot be reached, and LostShardError if a shard is another's.
    """

    polls_pauses: bool
    """Whether the processor has to read each second which services are paused: no bell rings."""

    @property
    def absent(self) -> Mapping[str, str]:
        """Receivers for which records are left in the log, each with its role."""
        ...

    def open(self) -> None:
        """Own shards, and begin to tell the processor of records."""
        ...

    def close(self) -> None:
        """Nothing is under way any more: let go of the log."""
        ...

    def receive(self, message: Any, sender: ActorAddress) -> None:
        """A message to the processor that only this kind of log knows."""
        ...

    # --- reading ------------------------------------------------------------------------------

    def poll(self, batch: Batch, limit: int) -> Sequence[Record]:
        """The next records, at most `limit`, with their offsets noted in the batch."""
        ...

    @property
    def selective(self) -> bool:
        """Whether records may be for only some of the receivers that their routes name."""
        ...

    def routes_here(
        self, batch: Batch, record: Record, message: Message | None, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Which of its routes a record takes in this batch. It has no message if it is unreadable.

        Called for each record while the log is `selective`.
        """
        ...

    def elsewhere(self, item: Item) -> bytes | None:
        """The key by which to send a record on, if another worker owns the shard of that key."""
        ...

    def forwards(self, item: Item) -> bool:
        """Whether this worker is the one that sends the item's record on."""
        ...

    # --- writing ------------------------------------------------------------------------------

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Add an outgoing record to the batch; returns whether this batch handles it too."""
        ...

    def leave(
        self, batch: Batch, outgoing: Outgoing, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Leave an output for its receivers in `absent`; returns the other routes."""
        ...

    # --- the life of a batch ------------------------------------------------------------------

    @property
    def untidy(self) -> bool:
        """Whether there is something to store though nothing happened."""
        ...

    def changes(self, batch: Batch, changes: Changes) -> Changes:
        """What to store of the batch: `changes`, and what the log adds to it or keeps otherwise."""
        ...

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """The batch is stored; `outbox` are the ids its outgoing records got."""
        ...

    def on_rolled_back(self) -> None:
        """No shard is owned: claim them again, and read on from what is stored."""
        ...

    def given_back(self, batch: Batch) -> None:
        """The batch is over, stored or not: its records are not needed any more."""
        ...

    def between_batches(self) -> None:
        """No batch is open: the moment to claim shards, or to release them."""
        ...


AdapterFactory = Callable[[ProcessorHost], LogAdapter]
"""Makes the adapter of a processor, in the process where it runs."""
