"""One batch: its deliveries, and all that is stored in its transaction."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

import attrs
import msgspec

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import Ack, CallId, ExternalCall, Output
from order_sagas.actors.sagas.effects import OperatorOutcome
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.outcome_queue import Outcome
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import Route
from order_sagas.bridges.storage.changes import Changes
from order_sagas.bridges.storage.deferred import DeferredRecord
from order_sagas.bridges.storage.early_replies import EarlyReply
from order_sagas.bridges.storage.operator_actions import ActionRow
from order_sagas.bridges.storage.schedules import ScheduleRow


@cache
def identity_of(entity: type[Entity]) -> Callable[[Any], Any]:
    """Return a function that gets the key of an entity of this class."""
    return attrgetter(*entity.key)


class Item(msgspec.Struct, frozen=True, gc=False):
    """A message to deliver to the receivers of its routes. `record` is None if no log has it."""

    message: Message
    topic: str
    record: Record | None
    routes: tuple[Route, ...]


class Ticket(msgspec.Struct, gc=False):
    """One delivery of an item to one receiver."""

    item: Item
    route: Route
    tries: int = 1


@attrs.define
class Batch:
    """The state of a batch. It is delivered in rounds: outputs of one round are the next one."""

    number: int
    tickets: list[Ticket] = attrs.field(factory=list)
    waiting: int = 0
    """Number of deliveries that are not acknowledged yet."""
    outputs: list[Output] = attrs.field(factory=list)
    """Outputs of the acknowledgements in this round."""
    entities: dict[Any, Entity] = attrs.field(factory=dict)
    sagas: dict[str, SagaState] = attrs.field(factory=dict)
    appended: list[tuple[Outgoing, int]] = attrs.field(factory=list)
    left: list[tuple[Outgoing, str]] = attrs.field(factory=list)
    """Records for the embedded log's queues of roles, each with the role."""
    outbox: list[tuple[int, Outgoing]] = attrs.field(factory=list)
    events: list[Outgoing] = attrs.field(factory=list)
    """Records that change data capture publishes."""
    calls: list[ExternalCall] = attrs.field(factory=list)
    offsets: dict[tuple[str, int], tuple[int, int]] = attrs.field(factory=dict)
    records: int = 0
    dead_letters: int = 0
    acks: list[Ack] = attrs.field(factory=list)
    """All that was absorbed, in order."""
    refused: list[tuple[Route, Message]] = attrs.field(factory=list)
    """Deliveries that were left out, because the database refused their results."""
    sources: list[Any] = attrs.field(factory=list)
    """Handovers of the log adapter that are settled when the batch is over."""
    outcomes: list[Outcome] = attrs.field(factory=list)
    """Items taken from the outcome queue; put back if the batch is rolled back."""
    look_again: bool = False
    """Whether to begin another batch even if this one stores nothing."""
    deferred: list[DeferredRecord] = attrs.field(factory=list)
    """Records to store for paused services."""
    early: dict[str, EarlyReply] = attrs.field(factory=dict)
    """Replies to keep that came too early, by id."""
    settled: list[str] = attrs.field(factory=list)
    """Ids of early replies that are kept no longer; its commit deletes them."""
    schedules: dict[str, ScheduleRow] = attrs.field(factory=dict)
    """How far schedules are settled, by name."""
    operated: list[OperatorOutcome] = attrs.field(factory=list)
    """Outcomes of operators' commands."""
    held: list[ActionRow] = attrs.field(factory=list)
    """Operators' commands that wait for an approval."""
    redelivered: list[int] = attrs.field(factory=list)
    """Ids of deferred records that this batch delivers; its commit deletes them."""

    def absorb(self, handled: Ack) -> SagaState | None:
        """Add the results of a delivery or of a timer; return the saga state among them, if any.

        Of several writes of one entity, the last one is stored.
        """
        saga: SagaState | None = None
        self.acks.append(handled)
        if handled.outputs:
            self.outputs += handled.outputs
        for write in handled.writes:
            if type(write) is SagaState:
                saga = self.sagas[write.saga_id] = write
            else:
                kind: type[Entity] = type(write)  # type: ignore[assignment]
                self.entities[kind, identity_of(kind)(write)] = write  # type: ignore[assignment]
        if handled.calls:
            self.calls += handled.calls
        if handled.operated is not None:
            self.operated.append(handled.operated)
        return saga

    @property
    def moved(self) -> list[Ack]:
        """The acks that contain saga transitions, for observers."""
        return [ack for ack in self.acks if ack.notes]

    def calls_over(self) -> list[CallId]:
        """Return the ids of the calls whose outcomes this batch handles."""
        return [outcome.call for outcome in self.outcomes if outcome.call]

    def calls_to_make(self) -> list[ExternalCall]:
        """Return the requested calls, without those whose successful outcome is in this batch.

        A duplicate command may request a call just before the outcome of that same call is handled.
        """
        done = {outcome.call for outcome in self.outcomes if not outcome.failed}
        return [call for call in self.calls if call.id not in done] if done else self.calls

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (
            self.records or self.entities or self.sagas or self.appended or self.left
            or self.outbox or self.events or self.offsets or self.deferred or self.redelivered
            or self.calls or self.early or self.settled or self.schedules or self.operated
        )  # fmt: skip

    def changes(self, epochs: dict[int, int]) -> Changes:
        """Return what its transaction stores; `epochs` are those of the owned shards."""
        return Changes(
            entities=self.entities.values(),
            sagas=self.sagas.values(),
            appended=self.appended,
            left=self.left,
            outbox=self.outbox,
            events=self.events,
            offsets=self.offsets,
            epochs=epochs,
            deferred=self.deferred,
            early=[*self.early.values()],
            settled=self.settled,
            schedules=[*self.schedules.values()],
            operated=self.operated,
            held=self.held,
            redelivered=self.redelivered,
        )
