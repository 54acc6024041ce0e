"""The places of a saga's state: one for each row, then one for each item of an `Each`.

`SagaState.items` has, for each place after the rows, the index of the row that it is an item of.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from order_sagas.actors.sagas.definition import Each, Saga
from order_sagas.actors.sagas.effects import Timer
from order_sagas.actors.sagas.state import ASKED, BACKOFF, DONE, SENT, STUCK, StepState
from order_sagas.actors.sagas.step import Step

if TYPE_CHECKING:
    from order_sagas.actors.sagas.state import SagaState

WHOLE_SAGA = -1
"""The `step` of a timer for the deadline of the whole saga."""


class Progress(Protocol):
    """What is read of a saga's state; a stored state has it, and a transition."""

    @property
    def steps(self) -> Sequence[StepState]:
        """The state of each place."""
        ...

    @property
    def items(self) -> tuple[int, ...]:
        """The row of each place after the rows."""
        ...

    @property
    def stage(self) -> int:
        """The index of the current stage."""
        ...

    @property
    def code(self) -> str:
        """The failure for which the saga is compensated, or ""."""
        ...


def rows_of(saga: Saga[Any], items: tuple[int, ...]) -> tuple[Step[Any, Any], ...]:
    """The step of each place: the rows, then the items of the rows that are an `Each`."""
    if not items:
        return saga.rows
    steps, counts = [*saga.rows], dict.fromkeys(items, 0)
    for i in items:
        row = saga.rows[i]
        assert isinstance(row, Each)
        steps.append(row.item_step(counts[i]))
        counts[i] += 1
    return tuple(steps)


def names_of(saga: Saga[Any], progress: Progress) -> list[str]:
    """The name of each place."""
    return [step.name for step in rows_of(saga, progress.items)]


def states_by_name(saga: Saga[Any], progress: Progress) -> list[tuple[str, StepState]]:
    """The name and the state of each place; its deadline is the end of its wait."""
    rows = rows_of(saga, progress.items)
    return [
        (row.name, msgspec.structs.replace(state, deadline=end_of_wait(row, state)))
        for row, state in zip(rows, progress.steps, strict=True)
    ]


def end_of_wait(row: Step[Any, Any], state: StepState) -> float:
    """When a step gives up waiting; the deadline of its state may be its next repetition."""
    if state.phase != SENT or not row.repeat_every:
        return state.deadline
    return max(state.deadline, state.since + (row.within or 0.0))


def place_named(saga: Saga[Any], progress: Progress, name: str) -> int | None:
    """The place of a step or item by its name; None if there is none."""
    if not name.endswith("]"):
        return saga.index.get(name)
    names = names_of(saga, progress)
    return names.index(name) if name in names else None


def row_index(saga: Saga[Any], progress: Progress, place: int) -> int:
    """The index of the row that a place is, or is an item of."""
    rows = len(saga.rows)
    return place if place < rows else progress.items[place - rows]


def pivot_is_out(saga: Saga[Any], progress: Progress) -> bool:
    """True if the pivot was sent or has happened, cannot be undone, and its stage is not complete.

    Then nothing may be undone that comes before it, or is sent together with it.
    """
    pivot = saga.pivot
    if pivot is None or pivot.undo or progress.stage != saga.pivot_stage:
        return False
    phase = progress.steps[saga.index[pivot.name]].phase
    return phase in (SENT, BACKOFF, STUCK, ASKED, DONE)


def is_valid(progress: "SagaState", timer: Timer) -> bool:
    """True if the saga still waits for this timer."""
    if timer.step == WHOLE_SAGA:
        return bool(progress.due) and progress.due == timer.at
    return progress.steps[timer.step].deadline == timer.at
