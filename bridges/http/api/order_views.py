"""Views of orders, made of rows."""

from collections.abc import Sequence
from typing import Any

import msgspec

from order_sagas.actors.money import money
from order_sagas.bridges.http.api.schemas import (
    NotificationView,
    OrderLineView,
    OrderSummary,
    OrderView,
    PaymentView,
    ReservationView,
    SagaView,
    moment,
)
from order_sagas.bridges.storage.queries.result import Row


def order_summary(row: Row) -> OrderSummary:
    """Return the view of a row of `queries.orders`."""
    return OrderSummary(
        **_order_fields(row), saga_status=row["saga_status"], step=row["step"] or None
    )


def order_view(
    order: Row, whole: dict[str, Any], sagas: Sequence[SagaView], orders_saga: str
) -> OrderView:
    """Return the view of an order, of what `queries.order` found of it, and of its sagas.

    Status and step are those of `orders_saga`, the saga that orders start.
    """
    own = next((each for each in sagas if each.saga == orders_saga), None)
    return OrderView(
        **_order_fields(order),
        saga_status=own.status if own else None,
        step=own.step if own else None,
        warehouse=order.get("warehouse"),
        lines=_lines(order),
        payment=_view(PaymentView, whole["payment"]),
        reservation=_view(ReservationView, whole["reservation"]),
        notification=_view(NotificationView, whole["notification"]),
        sagas=list(sagas),
    )


def _order_fields(row: Row) -> Row:
    names = ("order_id", "status", "customer_id", "amount", "currency", "code", "reason")
    fields = {name: row.get(name) for name in names}
    times = {name: moment(row.get(name)) for name in ("created_at", "updated_at")}
    return {**fields, **times, "amount_text": amount_text(row)}


def amount_text(row: Row) -> str | None:
    """Return the amount of a row as text with its currency; None if there is none."""
    amount = row.get("amount")
    return None if amount is None else money(amount, row.get("currency") or "")


def _lines(row: Row) -> list[OrderLineView]:
    return msgspec.convert(row.get("lines", []), list[OrderLineView])


def _view(kind: type[Any], row: Row | None) -> Any:
    """Build a view from the fields of an entity's row that the view has."""
    if row is None:
        return None
    fields = {name: row[name] for name in kind.__struct_fields__ if name in row}
    fields["updated_at"] = moment(row["updated_at"])
    if "amount" in fields:
        fields["amount_text"] = amount_text(row)
    if "lines" in fields:
        fields["lines"] = _lines(row)
    return kind(**fields)
