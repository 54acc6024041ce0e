"""Definitions of sagas as data: what the page draws the flow of a saga from."""

from typing import Any

from order_sagas.actors.messages import Message, status, status_of
from order_sagas.actors.sagas.definition import Each, Saga, Wait
from order_sagas.actors.sagas.locks import LOCKS
from order_sagas.actors.sagas.shape import SagaShape, StepShape, shape_of
from order_sagas.actors.sagas.step import Step
from order_sagas.bridges.http.api.schemas import View


class StepDefinition(View):
    """One row of a saga's definition. Durations are in seconds.

    Durations, attempts and reminders are null if the version is not registered in this program:
    the database keeps the shape of a version, without them.
    """

    step: str
    stage: int
    """Steps with the same number are sent together."""
    kind: str
    """`step`, `event` (done by an event), `wait`, `delay`, `each`, `child` or `lock`."""
    to: str
    """The service; `signals` for a wait, `timer` for a delay, `child sagas` for a child."""
    done: str = ""
    """Status of the message that completes the step; empty if nothing is waited for."""
    failed: str = ""
    undone: str = ""
    undo: bool = False
    """True if there is a compensation."""
    needs_no_undo: bool = False
    pivot: bool = False
    conditional: bool = False
    """True if a condition may skip the step."""
    item: str = ""
    """For `each`: the name of the items' steps, without their numbers."""
    in_order: bool = False
    """For `each`: true if the items are sent one after the other."""
    child: str = ""
    """The definition that a child runs."""
    within: float | None = None
    """Deadline of one attempt; the length of a delay."""
    attempts: int | None = None
    undo_within: float | None = None
    undo_attempts: int | None = None
    remind_every: float | None = None


class DefinitionView(View):
    """One version of a saga's definition."""

    saga: str
    version: int
    starts_on: str
    """Status of the message that starts it."""
    registered: bool
    """False for a version that is only in the database."""
    newest: bool
    """True for the version with which new sagas start."""
    exclusive: bool
    """True if sagas of one key run one after the other."""
    deadline: float | None
    """Seconds within which the pivot has to be sent; null if there is no such deadline."""
    steps: list[StepDefinition]
    """In the order of the table; steps of one stage follow each other."""


def definition_view(saga: Saga[Any], *, newest: bool) -> DefinitionView:
    """Return the view of a registered definition."""
    shape = shape_of(saga)
    return DefinitionView(
        saga=saga.name,
        version=saga.version,
        starts_on=status(saga.starts_on),
        registered=True,
        newest=newest,
        exclusive=any(step.to is LOCKS for step in saga.rows),
        deadline=saga.deadline,
        steps=[_step(each, row) for each, row in zip(shape.steps, saga.rows, strict=True)],
    )


def stored_definition_view(saga: str, version: int, shape: SagaShape) -> DefinitionView:
    """Return the view of a version of which only the stored shape is known."""
    return DefinitionView(
        saga=saga,
        version=version,
        starts_on=status_of(shape.starts_on),
        registered=False,
        newest=False,
        exclusive=any(step.to == LOCKS.name for step in shape.steps),
        deadline=None,
        steps=[_step(each, None) for each in shape.steps],
    )


def _step(shape: StepShape, row: Step[Any, Any] | None) -> StepDefinition:
    return StepDefinition(
        step=shape.name,
        stage=shape.stage,
        kind=_kind(shape),
        to=shape.to,
        done=_status(row.done if row else None, shape.done),
        failed=_status(row.failed if row else None, shape.failed),
        undone=_status(row.undone if row else None, shape.undone),
        undo=shape.undo,
        needs_no_undo=shape.needs_no_undo,
        pivot=shape.pivot,
        conditional=shape.when,
        item=shape.item,
        in_order=shape.in_order,
        child=shape.child,
        **(_durations(row) if row else {}),
    )


def _status(message: type[Message] | None, name: str) -> str:
    """The status of a message class; of its name, if the class is not known here."""
    return status(message) if message else status_of(name) if name else ""


def _kind(shape: StepShape) -> str:
    if shape.child:
        return "child"
    if shape.to == LOCKS.name:
        return "lock"
    if shape.kind == "step" and shape.done and not shape.do:
        return "event"
    return shape.kind


def _durations(row: Step[Any, Any]) -> dict[str, Any]:
    step = row.step if isinstance(row, Each) else row
    found: dict[str, Any] = {"within": step.within}
    if step.done and step.do:
        found["attempts"] = step.retry.attempts
    if step.undone:
        found |= {"undo_within": step.undo_within, "undo_attempts": step.undo_retry.attempts}
    if isinstance(row, Wait) and row.remind:
        found["remind_every"] = row.remind.every
    return found
