"""The outcome of an operator's command, for the log of operators' actions."""

import msgspec

from order_sagas.actors.messages import (
    CancelSaga,
    OperatorCommand,
    RepairDeadlines,
    ResumeSaga,
    RetryStep,
    SkipStep,
)
from order_sagas.actors.sagas.effects import Decision, OperatorOutcome
from order_sagas.actors.sagas.state import SagaState, saga_id_of

ACTIONS: dict[type[OperatorCommand], str] = {
    RetryStep: "retry",
    SkipStep: "skip",
    ResumeSaga: "resume",
    CancelSaga: "cancel",
    RepairDeadlines: "repair deadlines",
}
"""The name of each command, as operators know it."""


def with_outcome(
    decision: Decision, command: OperatorCommand, before: SagaState, now: float
) -> Decision:
    """Return the decision with what became of the command that it was made for."""
    refused = ""
    if decision.progress is before:
        refused = next((str(note.fields.get("reason", "")) for note in decision.notes), "")
    outcome = outcome_of(command, before.saga_id, before.seq, now, refused)
    return msgspec.structs.replace(decision, operated=outcome)


def outcome_of(
    command: OperatorCommand, saga_id: str, seq: int, now: float, refused: str
) -> OperatorOutcome:
    """Return the outcome of a command; without an event id it gets one of the saga's state.

    `seq` is the number of the saga's newest transition, `now` in seconds since the Unix epoch.
    `refused` is the reason why it was not carried out, or "".
    """
    return OperatorOutcome(
        event_id=command.event_id or f"{saga_id}/{seq}/{now}",
        saga_id=saga_id or saga_id_of(command.saga, command.order_id),
        action=ACTIONS[type(command)],
        step=command.step,
        by=command.by,
        why=command.why,
        at=now,
        refused=refused,
    )
