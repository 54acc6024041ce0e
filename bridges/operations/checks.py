"""Checks if a saga is in a state that allows an operator's command."""

from collections.abc import Iterable

from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.state import STUCK, UNDO_STUCK, SagaState, Status
from order_sagas.bridges.operations.errors import (
    NoSuchStepError,
    NotPossibleError,
    ReasonNeededError,
)

NEED_REASON = (SkipStep, CancelSaga)
"""Commands that require a reason."""


def check_reason(command: OperatorCommand) -> None:
    """Raise ReasonNeededError if the command requires a reason and has none."""
    if isinstance(command, NEED_REASON) and not command.why.strip():
        what = "skipping a step" if isinstance(command, SkipStep) else "cancelling an order"
        raise ReasonNeededError(f"{what} needs a reason")


def check(command: OperatorCommand, progress: SagaState, saga: Saga) -> None:
    """Raise NoSuchStepError or NotPossibleError if the saga would ignore the command."""
    names = [step.name for step in saga.rows]
    if isinstance(command, RetryStep | SkipStep) and command.step not in names:
        raise NoSuchStepError(f"there is no step {command.step!r}; there are {listed(names)}")
    reason = _refusal(command, progress, saga)
    if reason:
        raise NotPossibleError(progress.order_id, reason)


def _refusal(command: OperatorCommand, progress: SagaState, saga: Saga) -> str:
    if progress.ended:
        return f"its saga has ended: {Status(progress.status).name.lower()}"
    if isinstance(command, CancelSaga):
        if progress.code:
            return "it is being undone already"
        return "it is too late to cancel" if progress.stage > saga.pivot_stage else ""
    found = stuck(progress, saga)
    if isinstance(command, ResumeSaga):
        return "" if found else "no step is stuck"
    if command.step in found:
        return ""
    said = f"stuck: {listed(found)}" if found else "no step of this saga is"
    return f"step {command.step!r} is not stuck; {said}"


def stuck(progress: SagaState, saga: Saga) -> list[str]:
    """The names of the steps that were not answered and have no attempts left."""
    return [
        step.name
        for step, state in zip(saga.rows, progress.steps, strict=True)
        if state.phase in (STUCK, UNDO_STUCK)
    ]


def listed(names: Iterable[str]) -> str:
    """Names in quotes, with commas, for messages."""
    return ", ".join(repr(name) for name in names)
