"""The saga that places an order with choreographed participants, which act on events.

The payment service acts on ORDER_CREATED, the stock service on PAYMENT_COMPLETED, the notification
service on what it reads in its topic. They run elsewhere. The saga sends them no commands: it waits
for their outcomes, with deadlines, and tells them to roll back, which they never acknowledge.

It is the same business as `PLACE_ORDER`, under the same name. Its versions count from 1001, so that
sagas in flight of either kind go on when a system is started with the other.
"""

from order_sagas.actors.messages import (
    OrderCreated,
    PaymentCompleted,
    PaymentFailed,
    StockReservationFailed,
    StockReserved,
)
from order_sagas.actors.participants import NOTIFICATIONS, ORDERS, PAYMENTS, STOCK
from order_sagas.actors.place_order import cancel, complete, refund, release, roll_back
from order_sagas.actors.sagas.definition import Notice, Saga, Step, minutes

# fmt: off
CHOREOGRAPHED_ORDER = Saga(
    name="place-order",
    version=1001,
    starts_on=OrderCreated,
    steps=[
        Step("create order", to=ORDERS, undo=roll_back),  # done by the message that starts the saga
        Step("process payment", to=PAYMENTS,  # done by an event: the service acts on ORDER_CREATED
             done=PaymentCompleted, failed=PaymentFailed, within=minutes(5), undo=refund),
        Step("reserve stock", to=STOCK,  # the service acts on PAYMENT_COMPLETED
             done=StockReserved, failed=StockReservationFailed, within=minutes(5), undo=release),
        Step("complete order", to=ORDERS, do=complete, pivot=True),
        Step("notify customer", to=NOTIFICATIONS, do=complete),
    ],
    cancelled=[
        Notice(to=ORDERS, send=cancel),
        Notice(to=NOTIFICATIONS, send=cancel),
    ],
)
"""The definition of `place-order` for services that act on events."""
# fmt: on
