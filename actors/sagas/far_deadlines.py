"""Deadlines that lie farther ahead than their saga ever sets them.

They were set while the clock of a machine was ahead. Once it is put right, the saga would wait for
them for as long as the clock was wrong. `RepairDeadlines` begins such waits anew.
"""

from typing import Any

from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.places import WHOLE_SAGA, rows_of
from order_sagas.actors.sagas.state import BACKOFF, UNDO_BACKOFF, UNDO_SENT, SagaState, StepState
from order_sagas.actors.sagas.step import Step

SLACK = 60.0
"""Seconds that a deadline may lie farther ahead: clocks of several machines differ a little."""


def longest_wait(step: Step[Any, Any], state: StepState) -> float:
    """Seconds that the current wait of a step may last when it begins."""
    if state.phase == BACKOFF:
        return step.retry.longest
    if state.phase == UNDO_BACKOFF:
        return step.undo_retry.longest
    if state.phase == UNDO_SENT:
        return step.undo_within
    return step.within or 0.0


def far_places(saga: Saga[Any], progress: SagaState, now: float) -> list[int]:
    """Return the places whose deadlines lie too far after `now` (epoch seconds).

    WHOLE_SAGA stands for the deadline of the saga itself.
    """
    steps = zip(rows_of(saga, progress.items), progress.steps, strict=True)
    found = [
        i
        for i, (step, state) in enumerate(steps)
        if state.deadline > now + longest_wait(step, state) + SLACK
    ]
    if saga.deadline and progress.due > now + saga.deadline + SLACK:
        found.append(WHOLE_SAGA)
    return found


def longest_of(saga: Saga[Any]) -> float:
    """Seconds that any wait of a saga may last, its own deadline included."""
    waits = [saga.deadline or 0.0]
    for step in saga.rows:
        waits += [step.within or 0.0, step.retry.longest]
        if step.undo:
            waits += [step.undo_within, step.undo_retry.longest]
    return max(waits)
