"""The port between a batch processor and a log. Implemented for the embedded log and for Kafka."""

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
from order_sagas.bridges.storage.changes import Changes


class ProcessorHost(Protocol):
    """The part of a batch processor that its log adapter uses, on the event loop's thread."""

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
        """Own these claimed shards, and restore their actors. Call it between batches."""
        ...

    def lose(self, shards: frozenset[int]) -> None:
        """Own these shards no longer, and release their sagas. Call it between batches."""
        ...

    def roll_back(self) -> None:
        """Drop the batch, and restore every actor from the store."""
        ...

    def proceed_soon(self) -> None:
        """Begin a batch soon, if none is open."""
        ...

    def database_is_back(self) -> None:
        """Note that the database answered, which ends its outage."""
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
    """Whether the processor polls the database for pauses each second, since no doorbell rings."""

    @property
    def absent(self) -> Mapping[str, str]:
        """Receivers for which records are left in the log, each with its role."""
        ...

    def open(self) -> None:
        """Claim shards, or begin to wait for Kafka's assignment, and begin to read records."""
        ...

    def close(self) -> None:
        """Release the log. No batch is open, and none will be."""
        ...

    def receive(self, message: Any, sender: ActorAddress) -> None:
        """Handle a message to the processor that the processor itself does not know."""
        ...

    # --- reading ------------------------------------------------------------------------------

    def poll(self, batch: Batch, limit: int) -> Sequence[Record]:
        """Return the next records, at most `limit`, and note their offsets in the batch."""
        ...

    @property
    def selective(self) -> bool:
        """Whether records may be for only some of the receivers that their routes name."""
        ...

    def routes_here(
        self, batch: Batch, record: Record, message: Message | None, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Return those of `routes` on which the record is delivered in this batch.

        `message` is None if the record cannot be decoded. Called for each record while the log is
        `selective`.
        """
        ...

    def elsewhere(self, item: Item) -> bytes | None:
        """Return the key of the item's entity if another worker owns its shard, else None."""
        ...

    def forwards(self, item: Item) -> bool:
        """Whether this worker forwards the item's record to the partition of its key."""
        ...

    # --- writing ------------------------------------------------------------------------------

    def emit(self, batch: Batch, outgoing: Outgoing, shard: int) -> bool:
        """Add an outgoing record to the batch; return whether the batch also delivers it."""
        ...

    def leave(
        self, batch: Batch, outgoing: Outgoing, routes: tuple[Route, ...]
    ) -> tuple[Route, ...]:
        """Store an outgoing record for its receivers in `absent`; return the other routes."""
        ...

    # --- the life of a batch ------------------------------------------------------------------

    @property
    def needs_commit(self) -> bool:
        """Whether a commit is needed even if the batch is empty."""
        ...

    def changes(self, batch: Batch, changes: Changes) -> Changes:
        """Return `changes` as this log stores them, with what it adds to the transaction."""
        ...

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """The batch is committed; `outbox` are the ids of `Batch.outbox`, in the same order."""
        ...

    def on_database_away(self) -> None:
        """Handle that the database did not answer; called at each attempt of an outage."""
        ...

    def on_rolled_back(self) -> None:
        """Claim the shards again, after the processor gave up all; continue at stored offsets."""
        ...

    def given_back(self, batch: Batch) -> None:
        """Release the records of a batch that was committed or rolled back."""
        ...

    def between_batches(self) -> None:
        """Claim and release shards that wait for it. Called whenever no batch is open."""
        ...


AdapterFactory = Callable[[ProcessorHost], LogAdapter]
"""Makes the adapter of a processor, in the process where it runs."""
