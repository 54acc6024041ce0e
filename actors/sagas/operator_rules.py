"""The rules for which operators' commands a saga accepts in its current state.

They are applied in two places. Before a command is sent, it is checked against the stored state, so
that the operator sees at once why it is not possible. When it arrives, the saga checks it again,
because its state may have changed.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from order_sagas.actors.messages import CancelSaga, OperatorCommand, ResumeSaga
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.places import Progress, names_of, pivot_is_out
from order_sagas.actors.sagas.state import STUCK, UNDO_STUCK, StepState


def stuck_steps(steps: Sequence[StepState]) -> list[int]:
    """The places of the steps that were not answered and have no attempts left."""
    return [i for i, step in enumerate(steps) if step.phase in (STUCK, UNDO_STUCK)]


def stuck_names(saga: Saga[Any], progress: Progress) -> list[str]:
    """The names of the steps that were not answered and have no attempts left."""
    names = names_of(saga, progress)
    return [names[i] for i in stuck_steps(progress.steps)]


def refusal(command: OperatorCommand, saga: Saga[Any], progress: Progress) -> str:
    """The reason why a saga in flight refuses a command, or "" if it accepts the command."""
    if isinstance(command, CancelSaga):
        if progress.code:
            return "it is being compensated already"
        if progress.stage > saga.pivot_stage:
            return "it is past its pivot"
        if pivot_is_out(saga, progress):
            assert saga.pivot
            return f"its pivot {saga.pivot.name!r} was sent, and may have happened"
        return ""
    stuck = stuck_names(saga, progress)
    if isinstance(command, ResumeSaga):
        return "" if stuck else "no step is stuck"
    if command.step in stuck:
        return ""
    others = f"; stuck: {listed(stuck)}" if stuck else ""
    return f"step {command.step!r} is not stuck{others}"


def listed(names: Iterable[str]) -> str:
    """Names in quotes, separated by commas."""
    return ", ".join(repr(name) for name in names)
