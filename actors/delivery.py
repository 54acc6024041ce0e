"""What passes between the bridge and the actors of the business.

The bridge opens a batch, delivers, and commits once every delivery is `Handled`. Nothing an actor
says counts before that commit: what it wrote is dropped if the batch is rolled back.
"""

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


class Call(msgspec.Struct, frozen=True, gc=False):
    """Something asked of the outside world, issued after the commit, off the loop's thread.

    `key` is the idempotency key: a restart issues the call again with the same one. The outcome
    comes back as the message that `then` makes of it, or of the exception.
    """

    key: str
    make: Any
    """A callable without arguments, run on another thread."""
    then: Any
    """Makes a message of (result, exception); one of them is None."""


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
    calls: tuple[Call, ...] = ()
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
    """A message that no topic carries, for the bridge to deliver like a record: an outcome."""

    message: Message


@attrs.frozen
class Restore:
    """Sagas read back from the store, in the order of their deadlines."""

    progresses: list[Progress]
    epoch: int


@attrs.frozen
class RestoreEntities:
    """Entities that an actor keeps in memory, or that still owe an outside call."""

    entities: list[Entity]


@attrs.frozen
class Ended:
    """The end of these sagas is committed: their actors may go."""

    saga_ids: list[str]


@attrs.frozen
class Release:
    """Forget these sagas, or all: their shards moved, or a batch was rolled back."""

    saga_ids: list[str] | None = None
