"""Rules of an app: conditions on the stored data of an order, checked after every commit.

    @rule("a flight is booked once")
    def booked_once(order: Stored) -> str | None:
        flight = order.entity(Flight)
        return f"{flight.bookings} times" if flight and flight.bookings > 1 else None

The harness and `order-sagas simulate` check them after every commit, `order-sagas audit` in the
database.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar, cast

import attrs

from order_sagas.actors.entities import Entity
from order_sagas.actors.sagas.state import COMPLETED, SagaState

E = TypeVar("E", bound=Entity)


@attrs.frozen
class Stored:
    """All that is stored of one order."""

    order_id: str
    sagas: Mapping[str, SagaState]
    """Its sagas, by the name of their definition."""
    entities: Mapping[type[Entity], Entity]

    def entity(self, kind: type[E]) -> E | None:
        """Return the entity of a class that belongs to the order, or None."""
        found = self.entities.get(kind)
        return cast(E, found) if found is not None else None

    def is_completed(self, saga: str) -> bool:
        """True if its saga of this name has completed."""
        return saga in self.sagas and self.sagas[saga].status == COMPLETED

    @property
    def has_ended(self) -> bool:
        """True if it has a saga, and all its sagas have ended."""
        return bool(self.sagas) and all(saga.ended for saga in self.sagas.values())


Check = Callable[[Any], str | None]


@attrs.frozen
class Rule:
    """A rule: a name, and a function that returns what breaks it, or None.

    The function gets the `Stored` data of an order; or with `of`, an entity of that class. With
    `ended`, it is called only for orders whose sagas have all ended.
    """

    name: str
    check: Check
    ended: bool = False
    of: type[Entity] | None = None

    def __call__(self, stored: Any) -> str | None:
        """Return what breaks the rule, or None."""
        return self.check(stored)


def rule(
    name: str, *, ended: bool = False, of: type[Entity] | None = None
) -> Callable[[Check], Rule]:
    """Make a rule of a function; see `Rule`. The function must be pure, and fast."""

    def make(check: Check) -> Rule:
        return Rule(name, check, ended, of)

    return make
