"""The scenarios of an order: success, and each way to fail."""

from order_sagas.actors.messages import (
    OrderCreated,
    PaymentCompleted,
    RollbackPayment,
    RollbackStock,
)
from tests.scenarios.scenario import (
    CANCELLED,
    COMPLETED,
    PAID,
    REFUNDED,
    RESERVED,
    UNDONE,
    Scenario,
)
from tests.support.embedded import an_order

ORDER = an_order("o-1")

SCENARIOS = {
    "everything goes well": Scenario(
        given=(ORDER,),
        written=["ORDER_CREATED", *PAID, *RESERVED, *COMPLETED],
        status="COMPLETED",
    ),
    "the payment is declined": Scenario(
        given=(ORDER,),
        settings={"payment_decline_above": 100},
        written=["ORDER_CREATED", "PROCESS_PAYMENT", "PAYMENT_FAILED", *UNDONE, *CANCELLED],
        status="CANCELLED",
        code="amount_too_high",
    ),
    "the goods are out of stock": Scenario(
        given=(ORDER,),
        stock={"PEN": 1},
        written=[
            "ORDER_CREATED",
            *PAID,
            "RESERVE_STOCK",
            "STOCK_RESERVATION_FAILED",
            *REFUNDED,
            *UNDONE,
            *CANCELLED,
        ],
        status="CANCELLED",
        code="out_of_stock",
    ),
    "the payment is silent at first": Scenario(
        given=(ORDER,),
        settings={"payment_silent_rate": 1.0, "payment_silent_attempts": 1},
        written=["ORDER_CREATED", "PROCESS_PAYMENT", *PAID, *RESERVED, *COMPLETED],
        status="COMPLETED",
    ),
    "the payment is silent for good": Scenario(
        given=(ORDER,),
        settings={"payment_silent_rate": 1.0, "payment_silent_attempts": 99},
        written=["ORDER_CREATED", *["PROCESS_PAYMENT"] * 3, *REFUNDED, *UNDONE, *CANCELLED],
        status="CANCELLED",
        code="timed_out",
    ),
    "the warehouse is silent at first": Scenario(
        given=(ORDER,),
        settings={"stock_silent_rate": 1.0},
        written=["ORDER_CREATED", *PAID, "RESERVE_STOCK", *RESERVED, *COMPLETED],
        status="COMPLETED",
    ),
    "an undo overtakes its payment": Scenario(
        given=(RollbackPayment(order_id="o-1"), ORDER),
        written=[
            "ROLLBACK_PAYMENT",
            "ORDER_CREATED",
            "PAYMENT_ROLLED_BACK",
            "PROCESS_PAYMENT",
            "PAYMENT_FAILED",
            *UNDONE,
            *CANCELLED,
        ],
        status="CANCELLED",
        code="rolled_back",
    ),
    "an undo overtakes its reservation": Scenario(
        given=(RollbackStock(order_id="o-1"), ORDER),
        written=[
            "ROLLBACK_STOCK",
            "ORDER_CREATED",
            "STOCK_ROLLED_BACK",
            *PAID,
            "RESERVE_STOCK",
            "STOCK_RESERVATION_FAILED",
            *REFUNDED,
            *UNDONE,
            *CANCELLED,
        ],
        status="CANCELLED",
        code="rolled_back",
    ),
    "every record comes twice": Scenario(
        given=(ORDER, ORDER),
        written=["ORDER_CREATED", "ORDER_CREATED", *PAID, *RESERVED, *COMPLETED],
        status="COMPLETED",
    ),
    "a service written elsewhere answers with two fields": Scenario(
        given=(OrderCreated(order_id="o-1"), PaymentCompleted(order_id="o-1")),
        settings={"payment_silent_rate": 1.0, "payment_silent_attempts": 99},
        written=["ORDER_CREATED", "PAYMENT_COMPLETED", "PROCESS_PAYMENT", *RESERVED, *COMPLETED],
        status="COMPLETED",
    ),
}
