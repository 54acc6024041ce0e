"""The examples run, and are as short as documented."""

from collections import Counter
from pathlib import Path

from examples import returns
from examples.returns import (
    RETURN_GOODS,
    ChargeReturnAgain,
    Desk,
    GoodsReturned,
    Parcel,
    Refund,
    RefundReturn,
    Shelf,
    Thanks,
    Till,
)
from order_sagas.actors.sagas import hours
from order_sagas.bridges.intake.order_files import read_jsonl
from order_sagas.bridges.intake.stock_files import read_stock
from tests.support.embedded import EmbeddedSystem
from tests.support.markdown import ROOT, blocks


def a_system(directory) -> EmbeddedSystem:
    """A system that runs only returns."""
    return EmbeddedSystem(directory, sagas=[RETURN_GOODS], services=[Till, Shelf, Desk])


def test_returned_goods_are_refunded_and_restocked_in_parallel(tmp_path) -> None:
    """Both commands go out together, and the thanks when both are done."""
    with a_system(tmp_path) as system:
        system.put(GoodsReturned(order_id="r-1", amount=500))

        assert "COMPLETED" == system.status("r-1", "return-goods")
        assert ["REFUND_RETURN", "RESTOCK_RETURN"] == system.statuses_of("r-1")[1:3]
        assert Refund(order_id="r-1", status="PAID", amount=500) == system.entity(Refund, "r-1")
        assert Thanks(order_id="r-1") == system.entity(Thanks, "r-1")
        assert [] == system.violations()


def test_a_refund_for_damaged_goods_is_taken_back(tmp_path) -> None:
    """The group is undone whole, and nobody is thanked."""
    with a_system(tmp_path) as system:
        system.put(GoodsReturned(order_id="r-1", amount=500, condition="in pieces"))

        assert "CANCELLED" == system.status("r-1", "return-goods")
        assert Refund(order_id="r-1", status="CHARGED") == system.entity(Refund, "r-1")
        assert Parcel(order_id="r-1", status="in pieces") == system.entity(Parcel, "r-1")
        assert system.entity(Thanks, "r-1") is None
        assert [] == system.violations()


def test_a_return_survives_a_crash_while_it_waits(tmp_path) -> None:
    """The engine keeps it like any other saga; a tombstone keeps the refund from being paid."""
    with a_system(tmp_path) as system:
        system.put(ChargeReturnAgain(order_id="r-1"))
        system.put(GoodsReturned(order_id="r-1", amount=500))
        waiting = system.status("r-1", "return-goods")
        system.restart()
        system.advance(hours(4))

        assert ("RUNNING", "CANCELLED") == (waiting, system.status("r-1", "return-goods"))
        assert 3 == system.statuses_of("r-1").count("REFUND_RETURN")
        assert Parcel(order_id="r-1", status="sent back") == system.entity(Parcel, "r-1")
        assert [] == system.violations()


def test_a_duplicate_command_gets_the_same_answer(tmp_path) -> None:
    """By business key, as every participant must."""
    with a_system(tmp_path) as system:
        system.put(*(RefundReturn(order_id="r-1", amount=500) for _ in range(2)))

        assert 2 == system.statuses_of("r-1").count("RETURN_REFUNDED")
        assert [Refund(order_id="r-1", status="PAID", amount=500)] == system.all_of(Refund)


def test_the_example_is_under_sixty_lines_and_uses_public_names_only() -> None:
    """As the documentation says."""
    source = Path(returns.__file__).read_text().splitlines()

    assert len(source) < 60
    assert ["from order_sagas import"] == [
        line[:23] for line in source if line.startswith(("from", "import"))
    ]


FOLDER = Path(returns.__file__).parent


def test_the_travel_example_is_short_and_uses_public_names_only() -> None:
    """All its lines count, without those of its tests."""
    files = sorted((FOLDER / "travel").glob("*.py"))
    lines = [line for file in files for line in file.read_text().splitlines()]
    ours = {line.split()[1] for line in lines if line.startswith("from order_sagas")}

    assert len(lines) < 250
    assert {"order_sagas"} == ours


def test_the_example_orders_can_be_submitted():
    """In several currencies, from several warehouses, for goods of the stock file beside them."""
    with (FOLDER / "stock.csv").open(newline="") as lines:
        rows, bad = read_stock(lines.read())
    with (FOLDER / "orders.jsonl").open("rb") as file:
        found = list(read_jsonl(file))
    orders = [each.order for each in found if each.order]
    goods = {(warehouse, sku): quantity for warehouse, sku, quantity in rows}
    wanted: Counter[tuple[str, str]] = Counter()
    never = []
    for order in orders:
        lines_of = {(order.warehouse, line.sku): line.quantity for line in order.lines}
        assert lines_of.keys() <= goods.keys()
        if any(quantity > goods[each] for each, quantity in lines_of.items()):
            never.append(order.order_id)
        else:
            wanted.update(lines_of)

    shown = next(each.text for each in blocks(ROOT / "README.md", "json") if "A-1" in each.text)

    assert ([], len(found)) == (bad, len(orders))
    assert shown == (FOLDER / "orders.jsonl").read_text().splitlines(keepends=True)[0]
    assert [f"A-{number}" for number in range(1, 37)] == [order.order_id for order in orders]
    assert {"EUR", "GBP", "JPY", "KWD", "USD"} == {order.currency for order in orders}
    assert ["A-9", "A-28"] == never, "which are out of stock, whatever the order of events"
    assert all(quantity <= goods[each] for each, quantity in wanted.items())
