"""Records that could stop a system at every start: each becomes a dead letter.

A record that a database refuses would otherwise be read again at every start.
"""

import json

import pytest

from order_sagas.actors.messages import LoadStock, OrderLine
from tests.support.embedded import EmbeddedSystem, an_order

HUGE = 10**30


@pytest.mark.parametrize(
    ("topic", "fields"),
    [
        ("order-events", {"status": "ORDER_CREATED", "lines": [{"sku": "P", "quantity": HUGE}]}),
        (
            "order-events",
            {
                "status": "ORDER_CREATED",
                "lines": [{"sku": "P", "quantity": 10**12, "unitPrice": 10**12}],
            },
        ),
        ("order-events", {"status": "ORDER_CREATED", "attempt": HUGE}),
        ("order-events", {"status": "ORDER_CREATED", "customerId": "a\0b"}),
        ("payment-events", {"status": "PROCESS_PAYMENT", "amount": HUGE}),
        ("payment-events", {"status": "PROCESS_PAYMENT", "amount": -HUGE}),
        ("stock-events", {"status": "LOAD_STOCK", "lines": [{"sku": "P", "quantity": HUGE}]}),
        ("stock-events", {"status": "LOAD_STOCK", "lines": [{"sku": "P", "quantity": -1}]}),
    ],
)
def test_a_record_that_no_database_can_store_is_a_dead_letter(tmp_path, topic, fields):
    """An order after it is handled as usual."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        system.put_raw(topic, json.dumps({"orderId": "poison", **fields}).encode())
        system.put(an_order("sound"))

        assert "COMPLETED" == system.status("sound")
        assert "" == system.status("poison")
        assert 1 == len(system.records("dead-letters"))


def test_stock_never_grows_beyond_what_can_be_stored(tmp_path):
    """The delivery that would exceed the limit becomes a dead letter."""
    lines = tuple(OrderLine(sku=sku, quantity=10**15) for sku in ["PEN"] * 2000)
    with EmbeddedSystem(tmp_path) as system:
        for number in range(6):
            system.put(LoadStock(order_id=f"delivery-{number}", lines=lines))

        assert 2 == len(system.records("dead-letters"))


def test_a_text_that_only_looks_like_nul_is_read(tmp_path):
    r"""A backslash before `u0000` is a backslash."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("sound", customer_id="\\u0000"))

        assert "COMPLETED" == system.status("sound")
