"""A scenario: given records and expected results, on any base that actors can run on."""

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
"""Commands and their replies; the end of an order is written to two topics."""


@attrs.frozen
class Scenario:
    """`given` are the records, all about one order; `written` are all records that follow."""

    given: tuple[Message, ...]
    written: list[str]
    status: str
    code: str = ""
    stock: Mapping[str, int] = {"PEN": 10}
    settings: Mapping[str, Any] = {}
