"""Checks of commands before they are sent to a saga."""

from typing import Any

import pytest

from order_sagas.actors.messages import (
    CancelSaga,
    OrderCreated,
    PaymentCompleted,
    PaymentFailed,
    ResumeSaga,
    RetryStep,
    SkipStep,
    StockReserved,
)
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.advance import advance, wakes_of
from order_sagas.bridges.operations import NoSuchStepError, NotPossibleError, check

A: dict[str, Any] = {"order_id": "A"}


def a_saga(*messages):
    """The progress of an order that got these messages."""
    progress = None
    for message in (OrderCreated(**A), *messages):
        progress = advance(PLACE_ORDER, progress, message, 0.0).progress
    return progress


def a_stuck_saga():
    """The order was cancelled, and its refund is not answered."""
    progress = a_saga(CancelSaga(**A, why="x"))
    while wakes := wakes_of(progress):
        progress = advance(PLACE_ORDER, progress, wakes[0], wakes[0].at).progress
    return progress


@pytest.mark.parametrize(
    ("progress", "command", "error", "words"),
    [
        (a_saga(), RetryStep(**A, step="pay"), NoSuchStepError, "no step 'pay'; there are 'cre"),
        (a_saga(), RetryStep(**A, step="process payment"), NotPossibleError, "is not stuck$"),
        (a_stuck_saga(), SkipStep(**A, step="reserve stock"), NotPossibleError, "stuck: 'process"),
        (a_saga(), ResumeSaga(**A), NotPossibleError, "no step is stuck"),
        (a_stuck_saga(), CancelSaga(**A), NotPossibleError, "being compensated already"),
        (
            a_saga(PaymentFailed(**A)),
            CancelSaga(**A),
            NotPossibleError,
            "being compensated already",
        ),
        (
            a_saga(PaymentCompleted(**A), StockReserved(**A)),
            CancelSaga(**A),
            NotPossibleError,
            "has ended: completed",
        ),
    ],
)
def test_a_command_that_the_saga_would_ignore_is_refused(progress, command, error, words):
    """With the reason; the saga itself changes nothing."""
    with pytest.raises(error, match=words):
        check(command, progress, PLACE_ORDER)

    assert progress is advance(PLACE_ORDER, progress, command, 1.0).progress


@pytest.mark.parametrize(
    ("progress", "command"),
    [
        (a_saga(), CancelSaga(**A, why="x")),
        (a_saga(PaymentCompleted(**A)), CancelSaga(**A, why="x")),
        (a_stuck_saga(), RetryStep(**A, step="process payment")),
        (a_stuck_saga(), SkipStep(**A, step="process payment", why="x")),
        (a_stuck_saga(), ResumeSaga(**A)),
    ],
)
def test_a_command_that_the_saga_would_carry_out_is_accepted(progress, command):
    """The saga changes."""
    check(command, progress, PLACE_ORDER)

    assert progress is not advance(PLACE_ORDER, progress, command, 1.0).progress
