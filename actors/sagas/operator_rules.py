"""Which operator commands a saga accepts in its present state.

One rule for both places that apply it: a command is checked against the stored saga before it is
sent, so that an operator hears at once why it cannot be done, and the saga decides again when the
command arrives, because it may have moved on.
"""

from collections.abc import Iterable, Sequence

from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.state import STUCK, UNDO_STUCK, StepState


def stuck_steps(steps: Sequence[StepState]) -> list[int]:
    """The indexes of the steps that got no reply and have no attempt left."""
    return [i for i, step in enumerate(steps) if step.phase in (STUCK, UNDO_STUCK)]


def refusal(
    command: OperatorCommand, saga: Saga, steps: Sequence[StepState], stage: int, code: str
) -> str:
    """The reason for which a saga in flight refuses a command; "" if it accepts the command.

    `stage` is the saga's current stage, `code` the failure it is being compensated for, if any.
    """
    if isinstance(command, CancelSaga):
        if code:
            return "it is being undone already"
        return "it is too late to cancel" if stage > saga.pivot_stage else ""
    stuck = [saga.rows[i].name for i in stuck_steps(steps)]
    if isinstance(command, ResumeSaga):
        return "" if stuck else "no step is stuck"
    if command.step in stuck:
        return ""
    others = f"; stuck: {listed(stuck)}" if stuck else ""
    return f"step {command.step!r} is not stuck{others}"


def listed(names: Iterable[str]) -> str:
    """Names in quotes, separated by commas."""
    return ", ".join(repr(name) for name in names)
