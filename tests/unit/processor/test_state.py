"""The states of a processor."""

import pytest

from order_sagas.bridges.processor.processor import BatchProcessor
from order_sagas.bridges.processor.state import State


def test_a_stopped_processor_begins_nothing() -> None:
    assert [State.STOPPED] == [state for state in State if State.STOPPED.may_become(state)]


def test_a_batch_is_opened_only_when_none_is_open_or_broken_off() -> None:
    assert [State.IDLE] == [state for state in State if state.may_become(State.OPEN)]


def test_only_an_open_batch_is_committed_and_may_be_tried_again() -> None:
    may = [state for state in State if state.may_become(State.COMMITTING)]

    assert [State.OPEN, State.COMMITTING] == may


def test_a_transition_that_is_not_allowed_raises_an_error() -> None:
    processor = BatchProcessor()

    with pytest.raises(RuntimeError, match="idle cannot be committing"):
        processor._enter(State.COMMITTING)
    assert State.IDLE is processor.state
