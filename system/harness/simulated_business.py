"""The business of a simulated run: its starts, the faults that fit it, the checks of its end."""

import random
from collections.abc import Iterator
from functools import cache
from typing import Any, Protocol

import attrs

from order_sagas.actors.messages import Message, OrderCreated, OrderLine
from order_sagas.actors.sagas.rows import Wait
from order_sagas.actors.sagas.state import SENT
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.system.app import App, app_of
from order_sagas.system.harness import faults
from order_sagas.system.harness.end_checks import (
    check_keys,
    check_orders,
    check_unexpected_dead_letters,
)
from order_sagas.system.harness.harness import Harness
from order_sagas.system.harness.samples import sample_of, with_key_of
from order_sagas.system.harness.vocabulary import ORDER_BUSINESS, Vocabulary, vocabulary_of
from order_sagas.system.settings import Settings

SKUS = 5
SHIPPED = Settings().app
"""The name of the order business."""
REHEARSED = 12
"""Sagas of the runs from whose records the vocabulary of an app is derived."""
MEETING = 0.7
"""Share of exclusive sagas that get the key of one of the first sagas of the run."""
KEYS = 2
"""Number of the first sagas whose key others get."""
REFUSED = 0.15
"""Share of signals that refuse."""


class Business(Protocol):
    """What a simulation needs of an app."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The names that faults may use."""
        ...

    def parts(self, seed: int, orders: int, rng: random.Random) -> dict[str, Any]:
        """Return the arguments of the harness that are the business's own."""
        ...

    def begin(self, system: Harness, seed: int, order_id: str) -> None:
        """Start the saga with this order id."""
        ...

    def answer(self, system: Harness, seed: int, *, all_of_them: bool = False) -> None:
        """Send some of the signals that sagas wait for, or all."""
        ...

    def check(self, system: Harness) -> Iterator[Broken]:
        """Check the final state, beyond the database and the rules."""
        ...


@cache
def business_of(app: str) -> Business:
    """Return the business of the app with this name."""
    return OrderBusiness() if app == SHIPPED else AppBusiness(app_of(Settings(app=app)))


class OrderBusiness:
    """Orders, with a provider and customers outside."""

    vocabulary = ORDER_BUSINESS

    def parts(self, seed: int, orders: int, rng: random.Random) -> dict[str, Any]:
        """Return the stock and the provider."""
        return {
            "stock": {f"SKU-{i}": rng.randint(0, 2 * orders) for i in range(SKUS)},
            "gateway": SimulatedGateway(decline_rate=0.1, seed=seed),
        }

    def begin(self, system: Harness, seed: int, order_id: str) -> None:
        """Place an order."""
        system.place(_order(seed, order_id))

    def answer(self, system: Harness, seed: int, *, all_of_them: bool = False) -> None:
        """Do nothing: no order waits for a signal."""

    def check(self, system: Harness) -> Iterator[Broken]:
        """Compare the database with the provider and the customers."""
        return check_orders(system)


def _order(seed: int, order_id: str) -> OrderCreated:
    rng = random.Random(f"order/{seed}/{order_id}")
    lines = tuple(
        OrderLine(sku=f"SKU-{rng.randrange(SKUS)}", quantity=rng.randint(1, 3), unit_price=500)
        for _ in range(rng.randint(1, 3))
    )
    return OrderCreated(order_id=order_id, customer_id="C-1", currency="EUR", lines=lines)


@attrs.define(slots=False)
class AppBusiness:
    """An app of a user: starts from its `sample` or its message classes."""

    app: App
    _vocabulary: Vocabulary | None = None

    @property
    def vocabulary(self) -> Vocabulary:
        """The names that faults may use, from the definitions and from runs without faults."""
        if self._vocabulary is None:
            self._vocabulary = vocabulary_of(self.app.registry, self._rehearse())
        return self._vocabulary

    def parts(self, seed: int, orders: int, rng: random.Random) -> dict[str, Any]:
        """Return the app."""
        return {"app": self.app}

    def begin(self, system: Harness, seed: int, order_id: str) -> None:
        """Start a saga of the app."""
        rng = random.Random(f"start/{seed}/{order_id}")
        start = self._start(rng, order_id)
        exclusive = self.app.registry.started_by[type(start)].exclusive
        if exclusive is not None and rng.random() < MEETING:
            first = f"{order_id.rpartition('-')[0]}-{rng.randint(1, KEYS)}"
            other = self._start(random.Random(f"start/{seed}/{first}"), first)
            if type(other) is type(start):
                start = with_key_of(other, start, exclusive)
        system.start(start)

    def answer(self, system: Harness, seed: int, *, all_of_them: bool = False) -> None:
        """Send some of the signals that sagas wait for, or all; some of them refuse."""
        for saga_id, order_id in [*system.ledger.open.items()]:
            saga = system.ledger.facts[order_id].sagas[saga_id.partition("/")[0]]
            definition = self.app.registry.get(saga.saga, saga.version)
            for step, state in zip(definition.rows, saga.steps, strict=False):
                if isinstance(step, Wait) and state.phase == SENT:
                    rng = random.Random(f"signal/{seed}/{order_id}/{step.name}")
                    if all_of_them or rng.random() < 0.5:
                        refused = step.failed if rng.random() < REFUSED else None
                        kind = refused or step.done
                        assert kind
                        system.signal(sample_of(kind, rng, order_id))

    def check(self, system: Harness) -> Iterator[Broken]:
        """Check that all dead letters are caused by faults, and that each effect has one key."""
        yield from check_unexpected_dead_letters(system)
        yield from check_keys(system)

    def _start(self, rng: random.Random, order_id: str) -> Message:
        if self.app.sample is not None:
            return self.app.sample(rng, order_id)
        return sample_of(rng.choice([*self.app.registry.started_by]), rng, order_id)

    def _rehearse(self) -> list[bytes]:
        """Run sagas to their ends without faults, some of them cancelled, and return the records.

        The compensation of each participant shows when a participant after it is silent.
        """
        sent: list[bytes] = []
        names = [*self.app.registry.participants()]
        for seed, silent in enumerate([None, *names]):
            plan = [faults.Silent(silent)] if silent else []
            with Harness(seed, app=self.app, faults=plan, local=True) as system:
                for number in range(REHEARSED):
                    self.begin(system, seed, f"R-{number}")
                for _ in range(5):
                    system.run_until_ended()
                    self.answer(system, seed, all_of_them=True)
                sent += [outgoing.value for outgoing in system.stage.sent if outgoing.value]
        return sent
