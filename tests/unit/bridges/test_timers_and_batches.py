"""Many due timers do not delay records: they do not all join one batch."""

from order_sagas.actors.entities import Order
from order_sagas.actors.messages import OrderLine
from order_sagas.system.harness import seconds
from tests.support.embedded import EmbeddedSystem, an_order

CHEAP = (OrderLine(sku="PEN", quantity=1, unit_price=1),)
MANY = 2_000


def test_many_due_timers_are_split_into_batches(tmp_path) -> None:
    """New records are handled between two of them; every saga continues."""
    points: list[str] = []
    settings = {"payment_silent_rate": 1.0, "payment_silent_attempts": 1}
    with EmbeddedSystem(tmp_path, settings=settings, watch=points.append) as system:
        system.load({"PEN": 10 * MANY})
        system.put(*[an_order(f"o-{number}", lines=CHEAP) for number in range(MANY)])
        points.clear()
        system.advance(seconds(31))
        timed_out = points.count("after commit")
        system.advance(seconds(60))

        assert timed_out >= MANY // 512
        assert MANY == len([order for order in system.all_of(Order) if order.status == "COMPLETED"])
        assert [] == system.violations()
