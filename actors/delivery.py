"""What passes between the bridge and the actors of the business.

The bridge opens a batch, delivers, and commits once every delivery is `Handled`. Nothing an actor
says counts before that commit: what it wrote is dropped if the batch is rolled back.
"""

from typing import Any, NamedTuple

import attrs

from actors.entities import Entity
from actors.messages import Message
from actors.sagas.progress import Progress


class Delivery(NamedTuple):
    """A message for an actor, with the stored state of the entity it is about.

    Within one `batch`, what the actor has decided since is newer than `state`.
    """

    batch: int
    ticket: int
    message: Message
    state: Any
    now: float


class Output(NamedTuple):
    """A record to be written. The key decides its shard."""

    topic: str
    key: str
    message: Message


class Call(NamedTuple):
    """Something asked of the outside world, issued after the commit, off the loop's thread.

    `key` is the idempotency key: a restart issues the call again with the same one. The outcome
    comes back as the message that `then` makes of it, or of the exception.
    """

    key: str
    make: Any
    """A callable without arguments, run on another thread."""
    then: Any
    """Makes a message of (result, exception); one of them is None."""


class Handled(NamedTuple):
    """The acknowledgement of a delivery, and what came of it.

    `ticket` is None for what no record caused: a timer that fired.
    """

    ticket: int | None
    outputs: tuple[Output, ...] | list[Output] = ()
    writes: tuple[Entity | Progress, ...] | list[Entity | Progress] = ()
    calls: tuple[Call, ...] = ()


class NotHandled(NamedTuple):
    """The handler raised: nothing of the delivery counts. It is retried, then dead-lettered."""

    ticket: int
    error: str


class Inject(NamedTuple):
    """A message that no topic carries, for the bridge to deliver like a record: an outcome."""

    message: Message


@attrs.frozen
class Restore:
    """Sagas read back from the store, in the order of their deadlines; answered by `Restored`."""

    progresses: list[Progress]


@attrs.frozen
class Restored:
    """So many sagas are actors again, and have their timers."""

    count: int


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
    """These sagas, or all, belong to another worker now, or their batch was rolled back."""

    saga_ids: list[str] | None = None
