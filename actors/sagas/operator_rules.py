"""The rules for which operators' commands a saga accepts in its current state.

They are applied in two places. Before a command is sent, it is checked against the stored state, so
that the operator sees at once why it is not possible. When it arrives, the saga checks it again,
because its state may have changed.
"""

from collections.abc import Iterable, Sequence

from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.state import STUCK, UNDO_STUCK, StepState


def stuck_steps(steps: Sequence[StepState]) -> list[int]:
    """The indexes of the steps that were not answered and have no attempts left."""
    return [i for i, step in enumerate(steps) if step.phase in (STUCK, UNDO_STUCK)]


def refusal(
    command: OperatorCommand, saga: Saga, steps: Sequence[StepState], stage: int, code: str
) -> str:
    """The reason why a saga in flight refuses a command, or "" if it accepts the command.

    `stage` is the saga's current stage, `code` the failure for which it is compensated, if any.
    """
    if isinstance(command, CancelSaga):
        if code:
            return "it is being compensated already"
        return "it is past its pivot" if stage > saga.pivot_stage else ""
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
