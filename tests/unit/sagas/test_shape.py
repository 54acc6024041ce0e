"""The shape of a definition: equal as long as sagas in flight can be read with it."""

from typing import Any

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER, charge, refund
from order_sagas.actors.sagas.definition import Parallel, Saga
from order_sagas.actors.sagas.shape import (
    decode_shape,
    difference,
    encode_shape,
    fingerprint_of,
    shape_of,
)

CREATE, PAY, RESERVE, COMPLETE, NOTIFY = PLACE_ORDER.rows


def a_saga(*steps: Any) -> Saga[Any]:
    return Saga("place-order", 1, OrderCreated, steps or PLACE_ORDER.rows)


def changes(*steps: Any) -> list[str]:
    return difference(shape_of(PLACE_ORDER), shape_of(a_saga(*steps)))


def test_durations_retries_and_functions_are_not_in_the_shape() -> None:
    other = PAY.changed(do=lambda order: charge(order), undo=lambda order: refund(order))

    assert shape_of(PLACE_ORDER) == shape_of(PLACE_ORDER.scaled(7))
    assert [] == changes(CREATE, other, RESERVE, COMPLETE, NOTIFY)


def test_a_shape_is_read_as_it_was_written() -> None:
    shape = shape_of(PLACE_ORDER)

    assert shape == decode_shape(encode_shape(shape))


def test_the_fingerprint_of_the_shipped_saga_stays_the_same() -> None:
    """If it differs, every existing database refuses to start: give the saga a new version."""
    assert "998030b3b34c52fe" == fingerprint_of(shape_of(PLACE_ORDER))


def test_swapped_steps_are_named_with_their_former_shape() -> None:
    assert [
        "step 2: was 'process payment', stage 2, to payments, done PaymentCompleted, "
        "failed PaymentFailed, undone PaymentRolledBack, undo, is 'reserve stock', stage 2, "
        "to stock, done StockReserved, failed StockReservationFailed, undone StockRolledBack, "
        "undo",
        "step 3: was 'reserve stock', stage 3, to stock, done StockReserved, "
        "failed StockReservationFailed, undone StockRolledBack, undo, is 'process payment', "
        "stage 3, to payments, done PaymentCompleted, failed PaymentFailed, "
        "undone PaymentRolledBack, undo",
    ] == changes(CREATE, RESERVE, PAY, COMPLETE, NOTIFY)


def test_a_changed_step_is_described_by_its_changes() -> None:
    no_undo = RESERVE.changed(undo=None, undone=None, needs_no_undo=True)

    assert [
        "step 3, 'reserve stock': was undone StockRolledBack, undo, is needs_no_undo"
    ] == changes(CREATE, PAY, no_undo, COMPLETE, NOTIFY)


def test_a_parallel_group_is_another_shape() -> None:
    assert [
        "step 3, 'reserve stock': was stage 3, is stage 2",
        "step 4, 'complete order': was stage 4, is stage 3",
        "step 5, 'notify customer': was stage 5, is stage 4",
    ] == changes(CREATE, Parallel(PAY, RESERVE), COMPLETE, NOTIFY)


def test_an_added_and_a_removed_step_are_named() -> None:
    assert [
        "step 5: was 'notify customer', stage 5, to notifications, waits for no reply, is none"
    ] == changes(CREATE, PAY, RESERVE, COMPLETE)
