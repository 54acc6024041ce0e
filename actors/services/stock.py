"""The stock service: levels of stock, and reservations."""

from typing import Any, ClassVar

from msgspec.structs import replace
from thespian.actors import ActorAddress

from order_sagas.actors.entities import Entity, Reservation, StockLevel, StockLoad
from order_sagas.actors.messages import (
    LARGEST,
    LoadStock,
    Message,
    OrderLine,
    ReserveStock,
    RollbackStock,
    StockReservationFailed,
    StockReserved,
    StockRolledBack,
)
from order_sagas.actors.participants import STOCK
from order_sagas.actors.protocol import RestoreEntities
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.services.service import (
    NOTHING,
    Answer,
    Handler,
    Service,
    UseClient,
)
from order_sagas.actors.services.simulated_gateway import Silence

Levels = dict[tuple[str, str], StockLevel]
"""Levels by warehouse and SKU."""


class StockService(Service):
    """Keeps the levels of the warehouses of its shards in memory, and reservations in the database.

    Reserves all lines of an order or none, never more than is on hand, and releases exactly what
    the reservation holds. A release that comes before its reservation blocks it. The levels are
    restored from the database.
    """

    participant: ClassVar[Participant] = STOCK
    entity: ClassVar[type[Entity]] = Reservation
    entity_of: ClassVar[dict[type[Message], type[Entity]]] = {LoadStock: StockLoad}
    memory: ClassVar[tuple[type[Entity], ...]] = (StockLevel,)

    def __init__(self) -> None:
        super().__init__()
        self._levels: Levels = {}
        self._silence = Silence()

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """Handle restored levels, and `UseClient`: which reservations get no reply."""
        if isinstance(message, RestoreEntities):
            self._levels = {
                (level.warehouse, level.sku): level
                for level in message.entities
                if isinstance(level, StockLevel)
            }
        elif isinstance(message, UseClient):
            self._silence = message.client

    def reserve(self, held: Reservation | None, command: ReserveStock, now: float) -> Answer:
        """Reserve the lines of an order, or repeat the reply to an earlier command."""
        if held is None:
            if self._silence.falls_on(command):
                return NOTHING
            return self._reserve(command, now)
        if held.status == Reservation.HELD:
            return Answer(replies=(StockReserved(order_id=command.order_id),))
        return Answer(replies=(_failed(held),))

    def _reserve(self, command: ReserveStock, now: float) -> Answer:
        wanted = _by_sku(command.lines)
        levels, warehouse = self._levels, command.warehouse
        taken = []
        for sku, quantity in wanted.items():
            level = levels.get((warehouse, sku))
            on_hand = level.on_hand if level else 0
            if level is None or on_hand < quantity or quantity < 0:
                reason = f"{sku}: {quantity} wanted, {on_hand} on hand in {warehouse}"
                refused = Reservation(
                    order_id=command.order_id,
                    status=Reservation.REFUSED,
                    warehouse=warehouse,
                    code="out_of_stock",
                    reason=reason,
                    updated_at=now,
                )
                return Answer((refused,), (_failed(refused),))
            taken.append(_moved(level, quantity))
        held = Reservation(
            order_id=command.order_id,
            status=Reservation.HELD,
            warehouse=warehouse,
            lines=command.lines,
            updated_at=now,
        )
        for level in taken:
            levels[warehouse, level.sku] = level
        return Answer((held, *taken), (StockReserved(order_id=command.order_id),))

    def release(self, held: Reservation | None, command: RollbackStock, now: float) -> Answer:
        """Release a reservation, or block it if it has not been made."""
        done = (StockRolledBack(order_id=command.order_id),)
        if held is None:
            blocked = Reservation(
                order_id=command.order_id,
                status=Reservation.BLOCKED,
                warehouse=command.warehouse,
                code="rolled_back",
                reason="released before it was reserved",
                updated_at=now,
            )
            return Answer((blocked,), done)
        if held.status != Reservation.HELD:
            return Answer(replies=done)
        returned = [
            _moved(self._levels[held.warehouse, sku], -quantity)
            for sku, quantity in _by_sku(held.lines).items()
        ]
        for level in returned:
            self._levels[level.warehouse, level.sku] = level
        released = replace(held, status=Reservation.RELEASED, code="rolled_back", updated_at=now)
        return Answer((released, *returned), done)

    def load(self, known: StockLoad | None, command: LoadStock, now: float) -> Answer:
        """Add a delivery of goods to the levels, once for each delivery id.

        Raises ValueError for a negative quantity, or if the level would be too large to be stored.
        """
        if known:
            return NOTHING
        loaded = []
        for sku, quantity in _by_sku(command.lines).items():
            if quantity < 0:
                raise ValueError(f"{sku}: cannot load {quantity}")
            level = self._levels.get((command.warehouse, sku)) or StockLevel(
                warehouse=command.warehouse, sku=sku
            )
            level = replace(level, on_hand=level.on_hand + quantity, loaded=level.loaded + quantity)
            if level.loaded > LARGEST:
                raise ValueError(f"{sku}: {level.loaded} pieces are more than can be stored")
            loaded.append(level)
        for level in loaded:
            self._levels[level.warehouse, level.sku] = level
        noted = StockLoad(
            order_id=command.order_id,
            warehouse=command.warehouse,
            lines=command.lines,
            loaded_at=now,
        )
        return Answer((noted, *loaded))

    handlers: ClassVar[dict[type[Message], Handler]] = {
        ReserveStock: reserve,
        RollbackStock: release,
        LoadStock: load,
    }


def _by_sku(lines: tuple[OrderLine, ...]) -> dict[str, int]:
    """Quantities by SKU; lines of the same SKU are added up."""
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return wanted


def _moved(level: StockLevel, quantity: int) -> StockLevel:
    return StockLevel(
        warehouse=level.warehouse,
        sku=level.sku,
        on_hand=level.on_hand - quantity,
        reserved=level.reserved + quantity,
        loaded=level.loaded,
    )


def _failed(refused: Reservation) -> StockReservationFailed:
    return StockReservationFailed(
        order_id=refused.order_id, code=refused.code, reason=refused.reason
    )
