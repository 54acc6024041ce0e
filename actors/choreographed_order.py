"""The saga that places an order with choreographed participants, which act on events.

The payment service acts on ORDER_CREATED, the stock service on PAYMENT_COMPLETED, the notification
service on what it reads in its topic. They run elsewhere. The saga sends them no commands: it waits
for their outcomes, with deadlines, and orders rollbacks, which they never acknowledge.

It is the same business as `PLACE_ORDER`, under the same name. Its versions count from 1001, so that
no saga that began with commands is taken for one of these.
"""

import attrs

from order_sagas.actors.messages import (
    LoadStock,
    OrderCancelled,
    OrderCompleted,
    OrderCreated,
    OrderRolledBack,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    RollbackPayment,
    RollbackStock,
    StockReservationFailed,
    StockReserved,
    StockRolledBack,
)
from order_sagas.actors.participants import NOTIFICATIONS, ORDERS, PAYMENTS, STOCK
from order_sagas.actors.place_order import (
    cancel,
    charged_otherwise,
    complete,
    refund,
    release,
    reserved_otherwise,
    roll_back,
)
from order_sagas.actors.sagas.definition import Notice, Saga, Step, minutes

# A service may send acknowledgements; no step waits for them.
_ORDERS = attrs.evolve(ORDERS, remote=[OrderRolledBack])
_PAYMENTS = attrs.evolve(PAYMENTS, remote=[RollbackPayment, PaymentRolledBack])
_STOCK = attrs.evolve(STOCK, remote=[RollbackStock, StockRolledBack, LoadStock])
_NOTIFICATIONS = attrs.evolve(NOTIFICATIONS, remote=[OrderCompleted, OrderCancelled])

# fmt: off
CHOREOGRAPHED_ORDER = Saga(
    name="place-order",
    version=1001,
    starts_on=OrderCreated,
    steps=[
        Step("create order", to=_ORDERS,  # done by the message that starts the saga
             undo=roll_back),
        Step("process payment", to=_PAYMENTS,  # done by an event: the service acts on ORDER_CREATED
             done=PaymentCompleted, failed=PaymentFailed, within=minutes(5), undo=refund,
             check=charged_otherwise),
        Step("reserve stock", to=_STOCK,  # the service acts on PAYMENT_COMPLETED
             done=StockReserved, failed=StockReservationFailed, within=minutes(5), undo=release,
             check=reserved_otherwise),
        Step("complete order", to=_ORDERS, do=complete, pivot=True),
        Step("notify customer", to=_NOTIFICATIONS, do=complete),
    ],
    cancelled=[
        Notice(to=_ORDERS, send=cancel),
        Notice(to=_NOTIFICATIONS, send=cancel),
    ],
)
"""The definition of `place-order` for services that act on events."""
# fmt: on
