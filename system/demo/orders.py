"""Products, orders and failures of the demonstration, all derived from the seed.

Nothing depends on timing: declined and unanswered payments depend on the order id (and attempt),
and stock shortages on the total demand. So the same seed always gives the same counts.
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
"""SKUs with ample stock, and their prices in cents."""
PLENTY = 1_000_000
DISCONTINUED = "CLOCK-1987"
"""A SKU that is ordered but never in stock."""
LIMITED = "PRINT-SIGNED"
"""A SKU with more orders than stock."""
TOO_EXPENSIVE = 150_000
"""Amount in cents above which the provider declines payments."""


@attrs.frozen
class Troubles:
    """Payment attempts without a reply: all attempts of some orders, the first of others."""

    seed: int
    forever: float = 0.01
    once: float = 0.03

    rate: float = attrs.field(default=1.0, init=False)

    def falls_on(self, command: Message) -> bool:
        """Return True if this attempt of the command gets no reply."""
        drawn = share(self.seed, "demo-silent", command.order_id)
        return drawn < self.forever or (command.attempt <= 1 and drawn < self.forever + self.once)


def gateway(seed: int) -> SimulatedGateway:
    """Return the simulated payment provider of the demonstration."""
    return SimulatedGateway(
        decline_above=TOO_EXPENSIVE,
        decline_rate=0.04,
        silence=Troubles(seed),  # type: ignore[arg-type]  # has all that is used of a Silence
        seed=seed,
    )


def stock(orders: int) -> Iterator[tuple[str, str, int]]:
    """Yield (warehouse, SKU, quantity) of the initial stock."""
    for sku in CATALOGUE:
        yield "main", sku, PLENTY
    yield "main", LIMITED, max(1, orders // 100)


def orders(count: int, seed: int) -> Iterator[OrderCreated]:
    """Yield `count` orders, the same for the same seed."""
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
