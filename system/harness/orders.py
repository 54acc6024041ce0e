"""Sample orders."""

from collections.abc import Mapping
from itertools import count

from order_sagas.actors.messages import MAIN, OrderCreated, OrderLine

PLENTY = 1_000
"""Pieces of each ordered SKU, if a harness gets no `stock`."""


def an_order(
    lines: Mapping[str, int] | None = None,
    *,
    order_id: str = "",
    customer_id: str = "C-1",
    currency: str = "EUR",
    unit_price: int = 1000,
    warehouse: str = MAIN,
) -> OrderCreated:
    """Build an order; `lines` maps SKUs to quantities, `unit_price` is in minor units.

    Without an id it gets the harness's next id when it is placed: `ORD-1`, `ORD-2`, ...
    """
    wanted = {"SKU-1": 1} if lines is None else lines
    return OrderCreated(
        order_id=order_id,
        customer_id=customer_id,
        currency=currency,
        warehouse=warehouse,
        lines=tuple(
            OrderLine(sku=sku, quantity=quantity, unit_price=unit_price)
            for sku, quantity in wanted.items()
        ),
    )


class OrderNumbers:
    """Generates the order ids `ORD-1`, `ORD-2`, ..."""

    def __init__(self) -> None:
        self._next = count(1)

    def take(self) -> str:
        """Return the next id."""
        return f"ORD-{next(self._next)}"


class Supply:
    """Remembers which SKUs were ordered, so that a harness without `stock` can supply each one."""

    def __init__(self) -> None:
        self._ordered: set[tuple[str, str]] = set()

    def missing(self, order: OrderCreated) -> list[str]:
        """Return the SKUs of an order that were not ordered before from its warehouse, sorted."""
        wanted = {(order.warehouse, line.sku) for line in order.lines} - self._ordered
        self._ordered |= wanted
        return sorted(sku for _, sku in wanted)
