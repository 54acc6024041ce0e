"""The messages between the batch processor and the business actors.

The processor opens a batch, delivers messages, and commits once every delivery is acknowledged with
`Ack`. Until that commit nothing that an actor has answered takes effect; if the batch is rolled
back, it is dropped.
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.effects import LogEvent, OperatorOutcome
from order_sagas.actors.sagas.state import SagaState
from order_sagas.actors.services.call_limits import UNLIMITED, CallLimits


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message for an actor, with the stored state of the entity that it is about.

    If the actor has already changed the entity in this `batch`, its own copy is newer than `state`.
    `batch` and `ticket` identify the delivery, and its acknowledgement repeats both. `now` is in
    seconds since the Unix epoch.
    """

    batch: int
    ticket: int
    message: Message
    state: Any
    now: float


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to be written. The shard is computed from `key`."""

    topic: str
    key: str
    message: Message


CallId = tuple[str, str, str]
"""Service, operation and idempotency key of an external call."""


class ExternalCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call to an external system, made after the commit on another thread.

    `service` is the participant that makes it, `operation` what it does, and `key` the idempotency
    key, which is the same if the call is made again after a restart. While a call is being made,
    another one with the same id is not started. The outcome is delivered as the message that `then`
    returns.

    `make` must return within a limited time. A client without a timeout that hangs occupies its
    thread and prevents the call from being repeated until the process ends.
    """

    service: str
    operation: str
    key: str
    order_id: str
    make: Callable[[], Any]
    """Makes the call. Runs on another thread."""
    then: Callable[[Any, BaseException | None], Message]
    """Makes a message of (result, exception), one of which is None. Runs on the same thread as
    `make`."""
    limits: CallLimits = UNLIMITED
    """Where and how often the call may be made."""

    @property
    def id(self) -> CallId:
        """The identity of the call."""
        return self.service, self.operation, self.key


class Ack(msgspec.Struct, frozen=True, gc=False):
    """The acknowledgement of a delivery, with its results.

    `batch` and `ticket` are those of the delivery. An acknowledgement for a batch that was rolled
    back is ignored. A timer that fired uses the batch `NO_BATCH` and the ticket
    `timer_ticket(epoch)`, so that the timer of an actor that was evicted is not taken for one of
    the actor restored after it.
    """

    batch: int
    ticket: int
    outputs: tuple[Output, ...] | list[Output] = ()
    writes: tuple[Entity | SagaState, ...] | list[Entity | SagaState] = ()
    calls: tuple[ExternalCall, ...] = ()
    notes: tuple[LogEvent, ...] | list[LogEvent] = ()
    """The transitions of the saga that is in `writes`."""
    early: str = ""
    """Why the message is to be kept and delivered later, because it came too early."""
    operated: OperatorOutcome | None = None
    """The outcome of the message, if it is an operator's command."""


NO_BATCH = 0
"""Batch number of an acknowledgement that no delivery caused. Batches are numbered from 1."""


def timer_ticket(epoch: int) -> int:
    """The ticket of a timer's acknowledgement: negative, and unique for each epoch."""
    return -1 - epoch


class Nack(msgspec.Struct, frozen=True, gc=False):
    """The handler raised: the delivery has no effect. It is retried once, then dead-lettered."""

    batch: int
    ticket: int
    error: str


class InternalMessage(msgspec.Struct, frozen=True, gc=False):
    """A message that is in no topic and that the batch processor delivers like a record.

    It may be lost in a rollback or a restart, so it must follow from the stored state.
    """

    message: Message


@attrs.frozen
class Restore:
    """Sagas read from the database, in the order of their deadlines."""

    progresses: list[SagaState]
    epoch: int


@attrs.frozen
class RestoreEntities:
    """All entities of the kinds that an actor keeps in memory."""

    entities: list[Entity]


@attrs.frozen
class Ended:
    """The end of these sagas has been committed, so their actors can be stopped."""

    saga_ids: list[str]


@attrs.frozen
class EvictSagas:
    """Stop the actors of these sagas (all if None), because shards moved or a batch failed."""

    saga_ids: list[str] | None = None
