"""`order-sagas sagas locks`."""

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.definition import Saga
from order_sagas.system.order_app import APP
from tests.support.embedded import EmbeddedSystem, an_order


def test_locks_are_listed_with_who_has_them_and_who_waits(run, run_json, tmp_path, system) -> None:
    assert "No lock is held.\n" == run("sagas", "locks").stdout
    saga: Saga[OrderCreated] = Saga(
        "place-order", 2, OrderCreated, [*PLACE_ORDER.rows],
        exclusive=lambda order: order.customer_id,
    )  # fmt: skip
    here = [each for each in APP.services if each.participant.name != "payments"]
    with EmbeddedSystem(tmp_path, sagas=[PLACE_ORDER, saga], services=here) as exclusive:
        exclusive.put(an_order("A"), an_order("B"))
        (lock,) = run_json("sagas", "locks")
        shown = run("sagas", "locks").stdout

    assert "c-1" == lock["key"]
    assert ["place-order/A", "place-order/B"] == [each["sagaId"] for each in lock["claims"]]
    assert ["c-1", "place-order/A", "1"] == [shown.split()[i] for i in (-5, -4, -1)]
