"""The stored entities of the services.

Each class is a frozen struct. The store makes a table of each class and a column of each field.
Amounts of money are in minor units of their currency, times in seconds since the Unix epoch.
"""

from collections.abc import Iterable
from typing import ClassVar

from order_sagas.actors.frozen_struct import FrozenStruct
from order_sagas.actors.messages import MAIN, OrderLine


class Entity(FrozenStruct, gc=False):
    """Base class of all entities.

    An entity whose key is `("order_id",)` belongs to the shard of its order.
    """

    table: ClassVar[str]
    """Name of the table that it is stored in."""
    key: ClassVar[tuple[str, ...]] = ("order_id",)
    """The fields that identify it."""
    pending: ClassVar[str] = ""
    """The status of an entity that waits for the outcome of an external call, or empty. After a
    restart, the call of each entity in this status is made again."""

    def keywords(self) -> Iterable[str]:
        """Return texts, such as SKUs, by which searches find it; they must not change."""
        return ()


class Order(Entity):
    """An order, as the order service stores it."""

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

    def keywords(self) -> Iterable[str]:
        """Return the SKUs of the lines."""
        return [line.sku for line in self.lines]


class Payment(Entity):
    """A payment. `charges` and `refunds` count the calls that succeeded, for the audit.

    `code` and `reason` say why it failed or, while it is PENDING, why its last call did not
    succeed.
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
    """While PENDING, the command that has not been answered yet (event id, saga id, step, attempt),
    as JSON."""
    updated_at: float = 0.0


class StockLevel(Entity):
    """The stock of a SKU in a warehouse, in pieces.

    `loaded = on_hand + reserved` always holds. Pieces that were sold stay in `reserved`.
    """

    table: ClassVar[str] = "stock"
    key: ClassVar[tuple[str, ...]] = ("warehouse", "sku")

    warehouse: str
    sku: str
    on_hand: int = 0
    reserved: int = 0
    loaded: int = 0


class Reservation(Entity):
    """The goods that an order holds in a warehouse. If its order is completed, they are sold."""

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
    """A delivery of goods that was added to the stock. Its id is stored in `order_id`."""

    table: ClassVar[str] = "stock_loads"

    order_id: str
    warehouse: str = MAIN
    lines: tuple[OrderLine, ...] = ()
    loaded_at: float = 0.0


class Notification(Entity):
    """The one notification that a customer gets about an order. `sends` is for the audit."""

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
"""Every entity class of the order business."""
