"""What passes between the bridge and the actors of the business.

The bridge opens a batch, delivers, and commits once every delivery is `Handled`. Nothing an actor
says counts before that commit: what it wrote is dropped if the batch is rolled back.
"""

from collections.abc import Callable
from typing import Any

import attrs
import msgspec

from actors.entities import Entity
from actors.messages import Message
from actors.sagas.decision import Note
from actors.sagas.progress import Progress


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """A message for an actor, with the stored state of the entity it is about.

    Within one `batch`, what the actor has decided since is newer than `state`. `batch` and `ticket`
    identify the delivery; its acknowledgement repeats both.
    """

    batch: int
    ticket: int
    message: Message
    state: Any
    now: float


class Output(msgspec.Struct, frozen=True, gc=False):
    """A record to be written. The key decides its shard."""

    topic: str
    key: str
    message: Message


CallId = tuple[str, str, str]
"""Service, operation and key of an external call."""


class ExternalCall(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A call to an external system, made after the commit and never on the loop's thread.

    `service` is the participant that makes it, `operation` what it asks for, and `key` the
    idempotency key: a restart issues the call again with the same one. While a call is under way,
    none with the same three is made. The outcome comes back as the message that `then` makes of the
    result or the exception.

    `make` must not wait for ever: a client without a timeout that hangs holds its thread, and keeps
    the call from being made again, until the process ends.
    """

    service: str
    operation: str
    key: str
    order_id: str
    make: Callable[[], Any]
    """Run on another thread."""
    then: Callable[[Any, BaseException | None], Message]
    """Makes a message of (result, exception), one of which is None, on that thread."""

    @property
    def id(self) -> CallId:
        """What tells it from other calls."""
        return self.service, self.operation, self.key


class Handled(msgspec.Struct, frozen=True, gc=False):
    """The acknowledgement of a delivery, and what came of it.

    `batch` and `ticket` are those of the delivery: an acknowledgement for a batch that was rolled
    back counts for no later one. A timer that fired has the batch `NO_BATCH` and the ticket
    `timer_ticket(epoch)`, which tells a restored actor from one that was released before.
    """

    batch: int
    ticket: int
    outputs: tuple[Output, ...] | list[Output] = ()
    writes: tuple[Entity | Progress, ...] | list[Entity | Progress] = ()
    calls: tuple[ExternalCall, ...] = ()
    notes: tuple[Note, ...] | list[Note] = ()
    """The transitions of the saga that was written."""


NO_BATCH = 0
"""The batch number of what no delivery caused; batches are numbered from one."""


def timer_ticket(epoch: int) -> int:
    """The ticket of what a timer did in an actor of this epoch: below zero, one for each epoch."""
    return -1 - epoch


class NotHandled(msgspec.Struct, frozen=True, gc=False):
    """The handler raised: nothing of the delivery counts. It is retried, then dead-lettered."""

    batch: int
    ticket: int
    error: str


class Inject(msgspec.Struct, frozen=True, gc=False):
    """A message that no topic carries, for the bridge to deliver like a record.

    It may be lost in a rollback: what is stored must imply it.
    """

    message: Message


@attrs.frozen
class Restore:
    """Sagas read back from the store, in the order of their deadlines."""

    progresses: list[Progress]
    epoch: int


@attrs.frozen
class RestoreEntities:
    """Entities that an actor keeps in memory, all of them."""

    entities: list[Entity]


@attrs.frozen
class Ended:
    """The end of these sagas is committed: their actors may go."""

    saga_ids: list[str]


@attrs.frozen
class Release:
    """Forget these sagas, or all: their shards moved, or a batch was rolled back."""

    saga_ids: list[str] | None = None
