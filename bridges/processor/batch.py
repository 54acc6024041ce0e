"""One batch: what was taken, what is being handled, and what will be stored together."""

from collections.abc import Callable
from functools import cache
from operator import attrgetter
from typing import Any

import attrs
import msgspec

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import Ack, CallId, ExternalCall, Output
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.outcome_queue import Outcome
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.records.routing import Route
from order_sagas.bridges.storage.deferred import DeferredRecord


@cache
def identity_of(entity: type[Entity]) -> Callable[[Any], Any]:
    """What tells one entity of a class from another."""
    return attrgetter(*entity.key)


class Item(msgspec.Struct, frozen=True, gc=False):
    """A message to deliver, and the record it came in, if it came in one."""

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
    """Grows wave by wave: what the actors answer to one wave is delivered in the next."""

    number: int
    tickets: list[Ticket] = attrs.field(factory=list)
    waiting: int = 0
    """Deliveries that are not acknowledged yet."""
    outputs: list[Output] = attrs.field(factory=list)
    """What the present wave answered."""
    entities: dict[Any, Entity] = attrs.field(factory=dict)
    sagas: dict[str, SagaState] = attrs.field(factory=dict)
    appended: list[tuple[Outgoing, int]] = attrs.field(factory=list)
    left: list[tuple[Outgoing, str]] = attrs.field(factory=list)
    """Records that are left in the embedded log, each for a role that has yet to handle it."""
    outbox: list[tuple[int, Outgoing]] = attrs.field(factory=list)
    calls: list[ExternalCall] = attrs.field(factory=list)
    offsets: dict[tuple[str, int], tuple[int, int]] = attrs.field(factory=dict)
    records: int = 0
    dead_letters: int = 0
    moved: list[Ack] = attrs.field(factory=list)
    """What moved sagas on, with their transitions."""
    sources: list[Any] = attrs.field(factory=list)
    """What the log handed over, to be given back when the batch is over."""
    outcomes: list[Outcome] = attrs.field(factory=list)
    """What it took from the queue of outcomes, to be given back if it is rolled back."""
    look_again: bool = False
    """Whether there may be more to take though this batch stores nothing."""
    deferred: list[DeferredRecord] = attrs.field(factory=list)
    """What is kept for those who are paused."""
    redelivered: list[int] = attrs.field(factory=list)
    """What was kept and is delivered now, by its ids."""

    def absorb(self, handled: Ack) -> SagaState | None:
        """Take what came of a delivery, or of a timer; answers the saga it wrote, if it did.

        The last write of an entity counts.
        """
        saga: SagaState | None = None
        if handled.outputs:
            self.outputs += handled.outputs
        for write in handled.writes:
            if type(write) is SagaState:
                saga = self.sagas[write.saga_id] = write
            else:
                kind: type[Entity] = type(write)  # type: ignore[assignment]
                self.entities[kind, identity_of(kind)(write)] = write  # type: ignore[assignment]
        if handled.notes:
            self.moved.append(handled)
        if handled.calls:
            self.calls += handled.calls
        return saga

    def calls_over(self) -> list[CallId]:
        """The calls whose outcomes this batch took."""
        return [outcome.call for outcome in self.outcomes if outcome.call]

    def calls_to_make(self) -> list[ExternalCall]:
        """What it asks for, without what an outcome that it took says is done.

        A command that came twice may ask for a call just before the outcome of that very call.
        """
        done = {outcome.call for outcome in self.outcomes if not outcome.failed}
        return [call for call in self.calls if call.id not in done] if done else self.calls

    @property
    def empty(self) -> bool:
        """Whether there is nothing to store."""
        return not (
            self.records or self.entities or self.sagas or self.appended or self.left
            or self.outbox or self.offsets or self.deferred or self.redelivered or self.calls
        )  # fmt: skip
