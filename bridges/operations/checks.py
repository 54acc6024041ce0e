"""Whether a saga is in a state for what an operator asks of it."""

from collections.abc import Iterable

from actors.messages import CancelSaga, OperatorCommand, ResumeSaga, RetryStep, SkipStep
from actors.sagas.definition import Saga
from actors.sagas.progress import STUCK, UNDO_STUCK, Progress, Status
from bridges.operations.errors import NoSuchStepError, NotPossibleError, ReasonNeededError

NEED_REASON = (SkipStep, CancelSaga)
"""Commands that are only done with a reason."""


def check_reason(command: OperatorCommand) -> None:
    """Raise ReasonNeededError if the command needs a reason and has none."""
    if isinstance(command, NEED_REASON) and not command.why.strip():
        what = "skipping a step" if isinstance(command, SkipStep) else "cancelling an order"
        raise ReasonNeededError(f"{what} needs a reason")


def check(command: OperatorCommand, progress: Progress, saga: Saga) -> None:
    """Raise NoSuchStepError or NotPossibleError unless the saga would do as it is told."""
    names = [step.name for step in saga.rows]
    if isinstance(command, RetryStep | SkipStep) and command.step not in names:
        raise NoSuchStepError(f"there is no step {command.step!r}; there are {listed(names)}")
    if progress.ended:
        status = Status(progress.status).name.lower()
        raise NotPossibleError(f"the saga of order {progress.order_id} has ended: {status}")
    if isinstance(command, CancelSaga):
        if progress.code:
            raise NotPossibleError(f"order {progress.order_id} is being undone already")
        if progress.stage > saga.pivot_stage:
            raise NotPossibleError(f"order {progress.order_id}: it is too late to cancel")
        return
    found = stuck(progress, saga)
    if isinstance(command, ResumeSaga):
        if not found:
            raise NotPossibleError(f"order {progress.order_id}: no step is stuck")
    elif command.step not in found:
        said = f"stuck: {listed(found)}" if found else "nothing of this saga is"
        raise NotPossibleError(
            f"order {progress.order_id}: step {command.step!r} is not stuck; {said}"
        )


def stuck(progress: Progress, saga: Saga) -> list[str]:
    """The names of the steps that got no answer and have no attempt left."""
    return [
        step.name
        for step, state in zip(saga.rows, progress.steps, strict=True)
        if state.phase in (STUCK, UNDO_STUCK)
    ]


def listed(names: Iterable[str]) -> str:
    """Names for people."""
    return ", ".join(repr(name) for name in names)
