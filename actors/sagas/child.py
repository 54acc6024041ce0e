"""A row of a saga that is a saga itself."""

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any

import attrs
import msgspec

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.child_messages import (
    CHILDREN,
    ChildCancelled,
    ChildCompleted,
    UndoChild,
)
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.durations import hours
from order_sagas.actors.sagas.field_checks import shown
from order_sagas.actors.sagas.known_replies import Replies
from order_sagas.actors.sagas.retry import ONCE, Retry
from order_sagas.actors.sagas.rows import Condition
from order_sagas.actors.sagas.same_fields import function_of
from order_sagas.actors.sagas.state import saga_id_of
from order_sagas.actors.sagas.step import Read, S, Step, X

LOOK_EVERY = hours(1)
"""Seconds after which a parent asks a child without a deadline of its own for its outcome."""
FOR_EVER = Retry(attempts=10**9, backoff=0.0, factor=1.0)
FOR_A_DAY = Retry(attempts=24, backoff=0.0, factor=1.0)
"""How long a parent asks a child to undo itself before the step needs attention."""


@attrs.frozen(init=False)
class Child(Step[S, X]):  # type: ignore[override]
    """Runs another saga, the child, and waits for its end.

    `start` makes the message that starts the child, or is its class, as in a `Step`. It takes the
    start of the parent, or that and the replies; as the step of an `Each`, the start and the item,
    and the replies as a third. The order id of that message may be any that no other saga of the
    child's definition uses; if one does, the step fails with the code `order_in_use`. If the child
    is cancelled, the step fails with the child's code and reason.

    `within` is how long the child may take, in seconds: after that, it is undone with all that came
    before. Without it, the deadlines of the child are all there are.

    The compensation of the step undoes the child: a running one is cancelled, a completed one
    compensates its steps. A child with a pivot cannot be undone. It has to be the pivot, or to come
    after it, or to say `needs_no_undo=True`: then it is cancelled only while it can be.

    A child that is `detached` is started, and neither waited for nor undone.

    Raises DefinitionError if the fields contradict each other.
    """

    saga: Saga[Any] = attrs.field(kw_only=True)
    detached: bool = attrs.field(default=False, kw_only=True)

    def __init__(
        self,
        name: str,
        *,
        saga: Saga[Any],
        start: (
            Callable[[S], Message]
            | Callable[[S, X], Message]
            | Callable[[S, X, Replies], Message]
            | type[Message]
        ),
        within: float | None = None,
        needs_no_undo: bool = False,
        pivot: bool = False,
        detached: bool = False,
        when: Condition[S] | None = None,
        reads: Iterable[Read] = (),
    ) -> None:
        _check(name, saga, start, within, needs_no_undo, pivot, detached)
        make = function_of(start)
        fields: dict[str, Any] = {"needs_no_undo": True}
        if not detached:
            fields = {
                "done": ChildCompleted,
                "failed": ChildCancelled,
                "within": LOOK_EVERY if within is None else within,
                "retry": FOR_EVER if within is None else ONCE,
                "undo_within": LOOK_EVERY,
                "undo_retry": FOR_A_DAY,
            }
            if needs_no_undo:
                fields["undo"] = _undo(saga, make, running_only=True)
            elif not pivot and not has_pivot(saga):
                fields |= {"undo": _undo(saga, make), "undone": ChildCancelled}
        # Attrs makes it.
        self.__attrs_init__(  # type: ignore[attr-defined, unused-ignore]  # pyright: ignore
            name,
            to=CHILDREN,
            do=make,
            pivot=pivot,
            when=when,
            reads=reads,
            saga=saga,
            detached=detached,
            **fields,
        )

    @property
    def runs(self) -> Saga[Any]:
        """The definition of the child."""
        return self.saga

    def _check(self) -> None:
        """Consistent as it is made: a cancelled child is one that failed, and one undone."""

    def scaled(self, factor: float) -> Step[S, X]:
        """The same row with every duration multiplied by `factor`, but those of asking again."""
        if factor == 1:
            return self
        within = self.within
        if self.retry is ONCE and within:
            within *= factor
        return self.changed(saga=self.saga.scaled(factor), within=within)


def has_pivot(saga: Saga[Any]) -> bool:
    """True if a saga cannot be undone once it has completed."""
    return saga.pivot_stage < len(saga.stages)


def _check(
    name: str,
    saga: Any,
    start: Any,
    within: float | None,
    needs_no_undo: bool,
    pivot: bool,
    detached: bool,
) -> None:
    def refuse(rule: str) -> None:
        raise DefinitionError(f"step {name!r}: {rule}")

    if detached and within is not None:
        refuse("is detached, so nothing waits for it: it needs no `within`")
    if detached and needs_no_undo:
        refuse("is detached, so it is never undone: leave out `needs_no_undo`")
    if detached and pivot:
        refuse("is detached, so it cannot be the pivot")
    if not isinstance(saga, Saga):
        refuse(f"`saga` must be a Saga, not {shown(saga)}")
    if not callable(start):
        refuse(f"`start` must be a function or a message class, not {shown(start)}")


def _undo(
    saga: Saga[Any], start: Callable[..., Message], *, running_only: bool = False
) -> Callable[..., Message]:
    """The function that makes the undo, with the arguments of the one that makes the start."""

    @wraps(start)
    def undo(*arguments: Any) -> Message:
        message = start(*arguments)
        return UndoChild(
            order_id=message.order_id,
            saga_id=saga_id_of(saga.name, message.order_id),
            start=msgspec.to_builtins(message),
            running_only=running_only,
        )

    return undo
