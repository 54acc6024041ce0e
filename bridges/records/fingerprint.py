"""The fingerprint of an order: distinguishes a repeated order from another with its id."""

from hashlib import blake2b

import msgspec

from order_sagas.actors.entities import Order
from order_sagas.actors.messages import OrderCreated

_encode = msgspec.json.Encoder().encode


def fingerprint(order: OrderCreated | Order) -> bytes:
    """A hash of 8 bytes of the customer, the currency, the warehouse and the lines of an order."""
    content = (order.customer_id, order.currency, order.warehouse, order.lines)
    return blake2b(_encode(content), digest_size=8).digest()
