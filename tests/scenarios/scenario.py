"""A scenario: what is given, and what is expected, whatever base the actors run on."""

from collections.abc import Mapping
from typing import Any

import attrs

from order_sagas.actors.messages import Message

PAID = ["PROCESS_PAYMENT", "PAYMENT_COMPLETED"]
RESERVED = ["RESERVE_STOCK", "STOCK_RESERVED"]
REFUNDED = ["ROLLBACK_PAYMENT", "PAYMENT_ROLLED_BACK"]
RELEASED = ["ROLLBACK_STOCK", "STOCK_ROLLED_BACK"]
UNDONE = ["ROLLBACK_ORDER", "ORDER_ROLLED_BACK"]
COMPLETED = ["ORDER_COMPLETED"] * 2
CANCELLED = ["ORDER_CANCELLED"] * 2
"""What is told, and what is told back; the end of an order is told on two topics."""


@attrs.frozen
class Scenario:
    """`given` are the records, all about one order; `told` is every record that came of them."""

    given: tuple[Message, ...]
    told: list[str]
    status: str
    code: str = ""
    stock: Mapping[str, int] = {"PEN": 10}
    settings: Mapping[str, Any] = {}
