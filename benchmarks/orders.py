"""The orders of the benchmarks: 85% complete, 5% are declined, 10% are out of stock."""

import random
import uuid
from collections.abc import Iterator

from order_sagas.actors.messages import LoadStock, OrderCreated, OrderLine

SKUS = 100
DECLINED = 0.05
OUT_OF_STOCK = 0.10


def stock() -> LoadStock:
    """Pieces in stock: more than any benchmark sells."""
    lines = tuple(OrderLine(sku=f"SKU-{n}", quantity=10**9) for n in range(SKUS))
    return LoadStock(order_id="stock-load", lines=lines)


def orders(count: int, seed: int = 1) -> Iterator[OrderCreated]:
    """Return orders of two lines, with random UUIDs as ids, the worst case for an index."""
    rng = random.Random(seed)
    for n in range(count):
        first = "SKU-NONE" if rng.random() < OUT_OF_STOCK / (1 - DECLINED) else _sku(rng)
        yield OrderCreated(
            order_id=str(uuid.UUID(int=rng.getrandbits(128), version=4)),
            customer_id=f"customer-{n % 1000}",
            currency="EUR",
            lines=(
                OrderLine(sku=first, quantity=1, unit_price=1250),
                OrderLine(sku=_sku(rng), quantity=2, unit_price=499),
            ),
        )


def _sku(rng: random.Random) -> str:
    return f"SKU-{rng.randrange(SKUS)}"
