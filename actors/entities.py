"""What the services keep: one frozen record an entity, and the key it is found by.

The store makes a table of each class, a column of each field. Money is in minor units, times
are seconds since the Unix epoch.
"""

from typing import ClassVar

import msgspec

from actors.messages import MAIN, OrderLine


class Entity(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """`table` is where it is stored, `key` the fields that find it.

    An entity whose key is `("order_id",)` belongs to the order's shard; `pending` is the status
    in which an external call is owed, so that a restart issues it again.
    """

    table: ClassVar[str]
    key: ClassVar[tuple[str, ...]] = ("order_id",)
    pending: ClassVar[str] = ""


class Order(Entity):
    """An order as the order service knows it."""

    table: ClassVar[str] = "orders"

    CREATED: ClassVar[str] = "CREATED"
    ROLLED_BACK: ClassVar[str] = "ROLLED_BACK"
    COMPLETED: ClassVar[str] = "COMPLETED"
    CANCELLED: ClassVar[str] = "CANCELLED"

    order_id: str
    status: str
    customer_id: str = ""
    currency: str = ""
    amount: int = 0
    warehouse: str = MAIN
    lines: tuple[OrderLine, ...] = ()
    code: str = ""
    reason: str = ""
    created_at: float = 0.0
    updated_at: float = 0.0


class Payment(Entity):
    """A payment. `charges` and `refunds` count what was done, for the audit.

    `code` and `reason` tell why it failed; while PENDING, what went wrong with the last call.
    """

    table: ClassVar[str] = "payments"
    pending: ClassVar[str] = "PENDING"

    PENDING: ClassVar[str] = "PENDING"
    COMPLETED: ClassVar[str] = "COMPLETED"
    FAILED: ClassVar[str] = "FAILED"
    REFUNDED: ClassVar[str] = "REFUNDED"
    BLOCKED: ClassVar[str] = "BLOCKED"

    order_id: str
    status: str
    amount: int = 0
    currency: str = ""
    customer_id: str = ""
    charge_id: str = ""
    charges: int = 0
    refunds: int = 0
    code: str = ""
    reason: str = ""
    command: str = ""
    """What is owed while PENDING: the command's event id, saga id, step and attempt, as JSON."""
    updated_at: float = 0.0


class StockLevel(Entity):
    """A SKU in a warehouse: `loaded = on_hand + reserved`, and what is sold stays reserved."""

    table: ClassVar[str] = "stock"
    key: ClassVar[tuple[str, ...]] = ("warehouse", "sku")

    warehouse: str
    sku: str
    on_hand: int = 0
    reserved: int = 0
    loaded: int = 0


class Reservation(Entity):
    """What an order holds of a warehouse. A held one of a completed order is sold."""

    table: ClassVar[str] = "reservations"

    HELD: ClassVar[str] = "HELD"
    REFUSED: ClassVar[str] = "REFUSED"
    RELEASED: ClassVar[str] = "RELEASED"
    BLOCKED: ClassVar[str] = "BLOCKED"

    order_id: str
    status: str
    warehouse: str = MAIN
    lines: tuple[OrderLine, ...] = ()
    code: str = ""
    reason: str = ""
    updated_at: float = 0.0


class StockLoad(Entity):
    """A delivery of goods that was counted; its id stands in `order_id`."""

    table: ClassVar[str] = "stock_loads"

    order_id: str
    warehouse: str = MAIN
    lines: tuple[OrderLine, ...] = ()
    loaded_at: float = 0.0


class Notification(Entity):
    """The one message a customer gets about an order. `sends` counts, for the audit."""

    table: ClassVar[str] = "notifications"
    pending: ClassVar[str] = "PENDING"

    PENDING: ClassVar[str] = "PENDING"
    SENT: ClassVar[str] = "SENT"
    FAILED: ClassVar[str] = "FAILED"

    order_id: str
    status: str
    about: str
    customer_id: str = ""
    channel: str = ""
    text: str = ""
    sends: int = 0
    attempts: int = 0
    error: str = ""
    updated_at: float = 0.0


ENTITIES: tuple[type[Entity], ...] = (
    Order,
    Payment,
    StockLevel,
    Reservation,
    StockLoad,
    Notification,
)
