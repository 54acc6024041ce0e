"""What the demonstration sells and who misbehaves: all of it follows from the seed.

Nothing depends on timing: who is declined or silent depends on the order's id (and attempt), and
what is out of stock on how many ask for it. So the same seed always ends in the same counts.
"""

import random
from collections.abc import Iterator

import attrs

from order_sagas.actors.messages import Message, OrderCreated, OrderLine
from order_sagas.actors.services.simulated_gateway import SimulatedGateway, share

CATALOGUE = {
    "TEAPOT-BLUE": 2490, "MUG-OWL": 990, "NOTEBOOK-A5": 450, "PEN-FINE": 180,
    "LAMP-DESK": 4900, "CHAIR-OAK": 18900, "BAG-CANVAS": 3200, "SOAP-CEDAR": 650,
}  # fmt: skip
"""SKUs of which there is plenty, and their prices in cents."""
PLENTY = 1_000_000
DISCONTINUED = "CLOCK-1987"
"""Still ordered by some, and never in stock."""
LIMITED = "PRINT-SIGNED"
"""Wanted by more than there are."""
TOO_EXPENSIVE = 150_000
"""Cents above which the provider declines."""


@attrs.frozen
class Troubles:
    """Payment attempts without an answer: for ever for some orders, the first one for others."""

    seed: int
    forever: float = 0.01
    once: float = 0.03

    rate: float = attrs.field(default=1.0, init=False)

    def falls_on(self, command: Message) -> bool:
        """Whether this attempt of the command gets no answer."""
        drawn = share(self.seed, "demo-silent", command.order_id)
        return drawn < self.forever or (command.attempt <= 1 and drawn < self.forever + self.once)


def gateway(seed: int) -> SimulatedGateway:
    """The payment provider of the demonstration."""
    return SimulatedGateway(
        decline_above=TOO_EXPENSIVE,
        decline_rate=0.04,
        silence=Troubles(seed),  # type: ignore[arg-type]  # all that is asked of a Silence
        seed=seed,
    )


def stock(orders: int) -> Iterator[tuple[str, str, int]]:
    """(warehouse, SKU, quantity) of what is loaded."""
    for sku in CATALOGUE:
        yield "main", sku, PLENTY
    yield "main", LIMITED, max(1, orders // 100)


def orders(count: int, seed: int) -> Iterator[OrderCreated]:
    """So many orders, the same for the same seed."""
    draw = random.Random(seed)
    skus = list(CATALOGUE)
    for number in range(1, count + 1):
        lines = [_line(sku, draw.randint(1, 3)) for sku in draw.sample(skus, draw.randint(1, 3))]
        luck = draw.random()
        if luck < 0.03:
            lines.append(OrderLine(sku=DISCONTINUED, quantity=1, unit_price=8900))
        elif luck < 0.05:
            lines.append(OrderLine(sku=LIMITED, quantity=1, unit_price=12000))
        elif luck < 0.06:
            lines = [_line("CHAIR-OAK", 8)]
        yield OrderCreated(
            order_id=f"DEMO-{number:05}",
            customer_id=f"C-{draw.randint(1, max(10, count // 4)):04}",
            currency="EUR",
            lines=tuple(lines),
        )


def _line(sku: str, quantity: int) -> OrderLine:
    return OrderLine(sku=sku, quantity=quantity, unit_price=CATALOGUE[sku])
