"""The events of a run besides the transitions of sagas: faults, errors, calls, writes.

They are stored as data, and described in words by a report, since most runs need none.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from order_sagas.actors.entities import Entity
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.changes import Changes
from order_sagas.system.harness.faults import Fault
from order_sagas.system.harness.record_faults import head_of

ON_PURPOSE = "broken on purpose"
"""The text of an error that a fault raises."""
_PLACE = re.compile(r'\s*File "(.+)", line (\d+), in (.+)')


class Start(NamedTuple):
    """A saga was stored for the first time."""

    saga_id: str


class Struck(NamedTuple):
    """A fault took effect. `what` is what it struck, such as the status of a record."""

    fault: Fault
    what: str = ""


class Raised(NamedTuple):
    """A service, or the saga if `service` is "", raised when it got a message."""

    service: str
    status: str
    error: str
    place: str
    """The file, line and function that raised, or ""."""


class DeadLetter(NamedTuple):
    """A dead letter was stored."""

    topic: str
    status: str
    error: str


class Called(NamedTuple):
    """A service made an external call. `trouble` is how it failed (`CallFails.how`), or ""."""

    service: str
    operation: str
    key: str
    trouble: str


def raised_of(service: str, status: str, traceback: str) -> Raised:
    """Build the event of a traceback: its last line, and where it was raised."""
    lines = traceback.strip().splitlines() or ["an unknown error"]
    places = [found for line in lines if (found := _PLACE.match(line))]
    place = ""
    if places:
        path, line, function = places[-1].groups()
        place = f"{path.rpartition('/')[2]}:{line}, in {function}"
    return Raised(service, status, lines[-1].strip(), place)


Event = Start | Struck | Raised | DeadLetter | Called | Entity


class Incident(NamedTuple):
    """An event, its time in seconds since the start of the run, and the order ("" for any)."""

    at: float
    order_id: str
    event: Event


class Incidents:
    """The incidents of a run, in their order. What was rolled back stays in it, except writes."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._all: list[Incident] = []
        self._begun: set[str] = set()

    def note(self, order_id: str, event: Event) -> None:
        """Add an event of now."""
        self._all.append(Incident(self._elapsed(), order_id, event))

    def struck(self, fault: Fault, order_id: str = "", what: str = "") -> None:
        """Note that a fault took effect."""
        self.note(order_id, Struck(fault, what))

    def committed(self, placed: Iterable[Outgoing], changes: Changes) -> None:
        """Note the new sagas, the writes and the dead letters of a commit."""
        for saga in changes.sagas:
            if saga.saga_id not in self._begun:
                self._begun.add(saga.saga_id)
                self.note(saga.order_id, Start(saga.saga_id))
        for entity in changes.entities:
            self.note(getattr(entity, "order_id", ""), entity)
        for outgoing in placed:
            if outgoing.topic == DEAD_LETTERS:
                head, about = head_of(outgoing.value), dict(outgoing.headers)
                topic, error = (
                    about[f"dead-letter-{each}"].decode() for each in ("topic", "error")
                )
                self.note(head.order_id, DeadLetter(topic, head.status, error))

    def about(self, order_id: str) -> Iterator[Incident]:
        """The incidents of an order, and those of no order."""
        return (each for each in self._all if each.order_id in ("", order_id))

    def letters(self) -> Iterator[tuple[str, DeadLetter]]:
        """The dead letters that were stored, each with its order id or ""."""
        for each in self._all:
            if isinstance(each.event, DeadLetter):
                yield each.order_id, each.event

    def letters_of_handlers(self) -> list[tuple[str, DeadLetter]]:
        """The dead letters of messages at which a handler raised, unless a fault let it."""
        raised = {
            (each.order_id, each.event.status, each.event.error)
            for each in self._all
            if isinstance(each.event, Raised)
        }
        return [
            (order_id, letter)
            for order_id, letter in self.letters()
            if (order_id, letter.status, letter.error) in raised
        ]

    def errors(self, order_id: str = "") -> list[Incident]:
        """Exceptions that made a dead letter about an order, or about any.

        Those caused by a fault are left out.
        """
        return [
            each
            for each in self._all
            if isinstance(each.event, Raised | DeadLetter)
            and order_id in ("", each.order_id)
            and ON_PURPOSE not in each.event.error
        ]
