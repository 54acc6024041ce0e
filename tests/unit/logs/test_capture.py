"""Lines of sagas are captured, whatever was logged before."""

import json
from typing import Any

import pytest
import structlog
from structlog.typing import EventDict

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas import transition_log
from order_sagas.actors.sagas.advance import advance
from order_sagas.system.logs.capture import LogCapture


def write(order_id: str) -> None:
    """Log the start of a saga."""
    decision = advance(PLACE_ORDER, None, OrderCreated(order_id=order_id), 1.0)
    transition_log.log_notes(decision.progress, decision.notes, 1.0)


def test_a_saga_that_ran_before_logging_was_set_up_does_not_decide_where_later_lines_go(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The bound logger is kept for speed; it is bound again when logging is set up."""
    early: list[Any] = []

    def drop(logger: Any, method: str, event: EventDict) -> EventDict:
        early.append(event["order_id"])
        raise structlog.DropEvent

    before = structlog.get_config()
    # The proxy of the module may be bound for good, by a test before this one.
    monkeypatch.setattr(transition_log, "_proxy", structlog.get_logger("sagas"))
    structlog.configure(processors=[drop], cache_logger_on_first_use=False)
    transition_log.bind_again()
    capture = LogCapture(lambda: 1.0)
    try:
        write("A")
        capture.open()
        write("B")
        capture.close()
    finally:
        structlog.configure(**before)
        transition_log.bind_again()

    assert ["A"] == early
    assert ["B"] == [json.loads(line)["order_id"] for line in capture.lines]
