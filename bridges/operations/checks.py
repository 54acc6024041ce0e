"""Checks if a saga is in a state that allows an operator's command."""

from typing import Any

from order_sagas.actors.messages import CancelSaga, OperatorCommand, RetryStep, SkipStep
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.operator_rules import listed, refusal, stuck_names
from order_sagas.actors.sagas.places import names_of
from order_sagas.actors.sagas.state import SagaState, Status
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


def check(command: OperatorCommand, progress: SagaState, saga: Saga[Any]) -> None:
    """Raise NoSuchStepError or NotPossibleError if the saga would ignore the command."""
    names = names_of(saga, progress)
    if isinstance(command, RetryStep | SkipStep) and command.step not in names:
        raise NoSuchStepError(f"there is no step {command.step!r}; there are {listed(names)}")
    reason = _refusal(command, progress, saga)
    if reason:
        raise NotPossibleError(progress.order_id, reason)


def _refusal(command: OperatorCommand, progress: SagaState, saga: Saga[Any]) -> str:
    if progress.ended:
        return f"its saga has ended: {Status(progress.status).name.lower()}"
    return refusal(command, saga, progress)


def stuck(progress: SagaState, saga: Saga[Any]) -> list[str]:
    """The names of the steps that were not answered and have no attempts left."""
    return stuck_names(saga, progress)
