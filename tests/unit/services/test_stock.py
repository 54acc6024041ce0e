"""Reservations hold all goods of an order or none, and release exactly those."""

from order_sagas.actors.entities import Reservation, StockLevel, StockLoad
from order_sagas.actors.messages import (
    LoadStock,
    Message,
    OrderLine,
    ReserveStock,
    RollbackStock,
    StockReservationFailed,
    StockReserved,
    StockRolledBack,
)
from order_sagas.actors.protocol import RestoreEntities
from order_sagas.actors.services.service import Answer, UseClient
from order_sagas.actors.services.simulated_gateway import Silence
from order_sagas.actors.services.stock import StockService
from tests.support.embedded import EmbeddedSystem


class Warehouse:
    """A stock service, and the reservations it has written."""

    def __init__(self, **on_hand: int) -> None:
        self.service = StockService()
        self.reservations: dict[str, Reservation] = {}
        self.levels: dict[str, StockLevel] = {}
        lines = tuple(OrderLine(sku=sku, quantity=count) for sku, count in on_hand.items())
        self.deliver(LoadStock(order_id="delivery", lines=lines))

    def deliver(self, message: Message) -> Answer:
        known = self.reservations.get(message.order_id)
        answer = self.service.handlers[type(message)](self.service, known, message, 1000.0)
        for write in answer.writes:
            if isinstance(write, Reservation):
                self.reservations[write.order_id] = write
            elif isinstance(write, StockLevel):
                self.levels[write.sku] = write
        return answer

    def level(self, sku: str) -> tuple[int, int, int]:
        """On hand, reserved, loaded."""
        level = self.levels[sku]
        return level.on_hand, level.reserved, level.loaded


def reserve(order_id: str = "o", **wanted: int) -> ReserveStock:
    lines = tuple(OrderLine(sku=sku, quantity=count) for sku, count in wanted.items())
    return ReserveStock(order_id=order_id, lines=lines)


def release(order_id: str = "o") -> RollbackStock:
    return RollbackStock(order_id=order_id)


def kinds(answer: Answer) -> list[type[Message]]:
    return [type(reply) for reply in answer.replies]


def test_all_lines_are_held_or_none() -> None:
    """If one line is short, none is reserved."""
    warehouse = Warehouse(PEN=5, INK=1)

    answer = warehouse.deliver(reserve(PEN=2, INK=2))

    assert [StockReservationFailed] == kinds(answer)
    assert answer.replies[0].reason == "INK: 2 wanted, 1 on hand in main"  # type: ignore[attr-defined]
    assert ((5, 0, 5), (1, 0, 1)) == (warehouse.level("PEN"), warehouse.level("INK"))


def test_a_sku_on_two_lines_needs_their_sum() -> None:
    """Each line alone would fit."""
    warehouse = Warehouse(PEN=5)
    twice = ReserveStock(order_id="o", lines=(OrderLine(sku="PEN", quantity=3),) * 2)

    assert [StockReservationFailed] == kinds(warehouse.deliver(twice))
    assert (5, 0, 5) == warehouse.level("PEN")


def test_the_last_piece_is_reserved_once() -> None:
    """Never below zero."""
    warehouse = Warehouse(PEN=1)

    answers = [warehouse.deliver(reserve(f"o-{n}", PEN=1)) for n in range(3)]

    refused = StockReservationFailed
    assert [[StockReserved], [refused], [refused]] == [kinds(answer) for answer in answers]
    assert (0, 1, 1) == warehouse.level("PEN")


def test_a_duplicate_command_gets_the_first_answer() -> None:
    """It is reserved once; a refusal stays, even if stock has arrived since."""
    warehouse = Warehouse(PEN=5)
    held = [warehouse.deliver(reserve(PEN=2)) for _ in range(2)]
    refused = [warehouse.deliver(reserve("other", PEN=9)), Answer()]
    more = (OrderLine(sku="PEN", quantity=90),)
    warehouse.deliver(LoadStock(order_id="second delivery", lines=more))
    refused[1] = warehouse.deliver(reserve("other", PEN=9))

    assert held[0].replies == held[1].replies
    assert refused[0].replies == refused[1].replies
    assert (93, 2, 95) == warehouse.level("PEN")


def test_a_release_returns_exactly_the_held_goods_once() -> None:
    """Also of a SKU on two lines."""
    warehouse = Warehouse(PEN=9, INK=9)
    lines = tuple(OrderLine(sku=sku, quantity=n) for sku, n in (("PEN", 2), ("INK", 1), ("PEN", 3)))
    warehouse.deliver(ReserveStock(order_id="o", lines=lines))
    held = warehouse.level("PEN")

    answers = [warehouse.deliver(release()) for _ in range(2)]

    assert (4, 5, 9) == held
    assert [[StockRolledBack]] * 2 == [kinds(answer) for answer in answers]
    assert ((9, 0, 9), (9, 0, 9)) == (warehouse.level("PEN"), warehouse.level("INK"))


def test_a_release_that_overtakes_its_reservation_blocks_it() -> None:
    """The tombstone: the command that comes later is refused."""
    warehouse = Warehouse(PEN=5)
    undone = warehouse.deliver(release())

    late = warehouse.deliver(reserve(PEN=1))

    assert [StockRolledBack] == kinds(undone)
    assert [StockReservationFailed] == kinds(late)
    assert (5, 0, 5) == warehouse.level("PEN")


def test_a_negative_quantity_is_refused() -> None:
    """It would increase the stock."""
    warehouse = Warehouse(PEN=5)

    assert [StockReservationFailed] == kinds(warehouse.deliver(reserve(PEN=-3)))
    assert (5, 0, 5) == warehouse.level("PEN")


def test_an_order_without_lines_is_held_at_once() -> None:
    """Services written elsewhere may send two fields."""
    assert [StockReserved] == kinds(Warehouse().deliver(reserve()))


def test_a_silent_warehouse_answers_the_next_attempt() -> None:
    """It has reserved nothing meanwhile."""
    warehouse = Warehouse(PEN=5)
    warehouse.service.receive_other(UseClient(Silence(rate=1.0, attempts=1)), None)
    wanted = (OrderLine(sku="PEN", quantity=1),)
    first, second = (
        warehouse.deliver(ReserveStock(order_id="o", lines=wanted, attempt=n)) for n in (1, 2)
    )

    assert [[], [StockReserved]] == [kinds(first), kinds(second)]


def test_levels_come_back_after_a_restart() -> None:
    """All levels of the warehouses of its shards, and no others."""
    warehouse = Warehouse(PEN=5)
    restored = StockLevel(warehouse="main", sku="INK", on_hand=1, loaded=1)
    warehouse.service.receive_other(RestoreEntities([restored]), None)

    answers = [warehouse.deliver(reserve("o-1", INK=1)), warehouse.deliver(reserve("o-2", PEN=1))]

    assert [[StockReserved], [StockReservationFailed]] == [kinds(answer) for answer in answers]


def test_a_delivery_may_have_the_id_of_an_order(tmp_path) -> None:
    """In one batch even: one is about goods that came, the other about goods that are held."""
    pens = (OrderLine(sku="PEN", quantity=1),)
    with EmbeddedSystem(tmp_path) as system:
        system.put(
            LoadStock(order_id="A", lines=pens),
            ReserveStock(order_id="A", lines=pens),
            LoadStock(order_id="A", lines=pens),
        )

        assert ["HELD"] == [held.status for held in system.all_of(Reservation)]
        assert ["A"] == [load.order_id for load in system.all_of(StockLoad)]
        assert [] == system.violations()
