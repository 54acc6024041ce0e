"""Definition of a saga as data: one row for each step, validated when it is created.

    PLACE_ORDER = Saga(
        name="place-order",
        version=1,
        starts_on=OrderCreated,
        steps=[
            Step("process payment", to=PAYMENTS,
                 do=charge, done=PaymentCompleted, failed=PaymentFailed, within=seconds(30),
                 undo=refund, undone=PaymentRolledBack),
            ...
        ],
    )

The rules are those of Garcia-Molina and Salem, "Sagas" (1987), with the pivot of Chris Richardson's
"Microservices Patterns", chapter 4: steps before the pivot can be undone; steps after it can only
be retried until they succeed. What a row can be is in `step` and `rows`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, overload

import attrs

from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.definition_checks import check, kept_replies
from order_sagas.actors.sagas.durations import days, hours, minutes, seconds
from order_sagas.actors.sagas.field_checks import check_duration, list_of
from order_sagas.actors.sagas.functions import check_takes, takes
from order_sagas.actors.sagas.known_replies import Replies
from order_sagas.actors.sagas.locks import LOCKS, with_lock
from order_sagas.actors.sagas.participant import SIGNALS, Participant, Receiver, participant_of
from order_sagas.actors.sagas.rows import Delay, Each, Parallel, Remind, Wait
from order_sagas.actors.sagas.same_fields import SameFields, function_of
from order_sagas.actors.sagas.step import S, Step
from order_sagas.actors.sagas.step_mapping import StepMapping, check_mappings

__all__ = [
    "Delay",
    "Each",
    "Failure",
    "Notice",
    "Parallel",
    "Participant",
    "Remind",
    "Saga",
    "Step",
    "Wait",
    "days",
    "hours",
    "minutes",
    "seconds",
]


@attrs.frozen
class Failure:
    """Why a saga is compensated: the step that failed, a code for programs, a reason for people."""

    step: str
    code: str
    reason: str


def _takes(notice: Any) -> int:
    if isinstance(notice.send, SameFields):
        return 2
    return takes(notice.send, f"`send` of the notice to {notice.to.name!r}")


@attrs.frozen(init=False)
class Notice(Generic[S]):
    """A message that is sent once when a saga has been cancelled.

    `send` gets the start and the failure, and the replies if it takes a third argument. It may be a
    message class: the message has the order id and the fields of the same names of the start, and
    if it is a `Failed`, the code and the reason of the failure.
    """

    to: Participant = attrs.field(converter=participant_of)
    send: Callable[[S, Failure], Message] | Callable[[S, Failure, Replies], Message] = attrs.field(
        converter=function_of
    )
    takes: int = attrs.field(
        default=attrs.Factory(_takes, takes_self=True), init=False, repr=False, eq=False
    )

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, to: Receiver, send: Callable[[S, Failure], Message] | type[Message]
        ) -> None: ...
        @overload
        def __init__(
            self, to: Receiver, send: Callable[[S, Failure, Replies], Message]
        ) -> None: ...
        def __init__(self, to: Receiver, send: Any) -> None: ...

    else:

        def __init__(self, to: Receiver, send: Any) -> None:
            self.__attrs_init__(to, send)


LOCK_WITHIN = hours(1)
"""Seconds for which an exclusive saga waits for its turn, unless it says otherwise."""

Row = Step[S, Replies] | Parallel[S]
"""A row of the table: a step of any kind, or a group of steps."""


def _stages(rows: Sequence[Row[Any]]) -> tuple[tuple[Step[Any, Any], ...], ...]:
    return tuple(row.members if isinstance(row, Parallel) else (row,) for row in rows)


def _notices(notices: Iterable[Notice[Any]]) -> tuple[Notice[Any], ...]:
    return tuple(notices)


@attrs.frozen(slots=False, init=False)
class Saga(Generic[S]):
    """A saga definition: the message that starts it, its steps, the notices when it is cancelled.

    `deadline` is in seconds from the start. If it passes before the pivot was sent, the saga is
    compensated with the code `deadline`. If it passes later, the saga goes on, and its history and
    log say once that it needs attention. `migrates` says, for other versions, how sagas in flight
    of them become sagas of this one.

    With `exclusive`, sagas for which it returns the same key run one after the other, in the order
    in which they asked; sagas of other definitions with that key, too. A saga waits at most
    `exclusive_within` seconds for its turn, and is compensated with the code `timed_out` then.

    Raises DefinitionError on creation if a field is wrong, if a name is used twice, if a step after
    the pivot can be undone, if a step before it cannot be undone and does not say `needs_no_undo`,
    or if the definition has more than one pivot. All rules are in `definition_checks`.
    """

    name: str
    version: int
    starts_on: type[S]
    stages: tuple[tuple[Step[Any, Any], ...], ...] = attrs.field(converter=_stages, alias="steps")
    cancelled: tuple[Notice[Any], ...] = attrs.field(default=(), converter=_notices)
    deadline: float | None = None
    migrates: Mapping[int, StepMapping] = attrs.field(factory=dict)
    exclusive: Callable[[S], str] | None = None
    exclusive_within: float = LOCK_WITHIN

    def __init__(
        self,
        name: str,
        version: int,
        starts_on: type[S],
        steps: Sequence[Step[S, Replies] | Parallel[S]],
        cancelled: Iterable[Notice[S]] = (),
        deadline: float | None = None,
        migrates: Mapping[int, StepMapping] | None = None,
        exclusive: Callable[[S], str] | None = None,
        exclusive_within: float = LOCK_WITHIN,
    ) -> None:
        saga = f"saga {name!r}"
        words = "rows, such as Step(...) and Parallel(...)"
        steps = list_of(
            words, lambda row: isinstance(row, Step | Parallel), f"{saga}: `steps`", steps
        )
        cancelled = list_of(
            "notices, as Notice(...) makes", lambda notice: isinstance(notice, Notice),
            f"{saga}: `cancelled`", cancelled,
        )  # fmt: skip
        check_takes(f"{saga}: `exclusive`", takes(exclusive, f"{saga}: `exclusive`"), "start")
        check_duration(f"{saga}: `exclusive_within`", exclusive_within)
        # Attrs makes it.
        self.__attrs_init__(  # type: ignore[attr-defined, unused-ignore]  # pyright: ignore
            name, version, starts_on, steps, cancelled, deadline, migrates or {}, exclusive,
            exclusive_within,
        )  # fmt: skip

    def __attrs_post_init__(self) -> None:
        if self.exclusive:
            stages = with_lock(self.stages, self.exclusive, self.exclusive_within)
            object.__setattr__(self, "stages", stages)
        check(self)
        check_mappings(self)

    @cached_property
    def rows(self) -> tuple[Step[Any, Any], ...]:
        """Every step in the order of the table; the steps of parallel groups one by one."""
        return tuple(step for stage in self.stages for step in stage)

    @cached_property
    def stage_steps(self) -> tuple[tuple[int, ...], ...]:
        """For each stage, the indexes of its steps in `rows`."""
        counter = iter(range(len(self.rows)))
        return tuple(tuple(next(counter) for _ in stage) for stage in self.stages)

    @cached_property
    def index(self) -> dict[str, int]:
        """The index in `rows` of each step, by name."""
        return {step.name: i for i, step in enumerate(self.rows)}

    @cached_property
    def pivot_stage(self) -> int:
        """The index of the stage that contains the pivot; the number of stages if there is none."""
        return next(
            (n for n, stage in enumerate(self.stages) if any(step.pivot for step in stage)),
            len(self.stages),
        )

    @cached_property
    def pivot(self) -> Step[Any, Any] | None:
        """The pivot, or None."""
        return next((step for step in self.rows if step.pivot), None)

    @cached_property
    def kept(self) -> frozenset[int]:
        """The indexes in `rows` of the steps whose replies are stored, because they are read."""
        return kept_replies(self)

    @cached_property
    def origin(self) -> Participant:
        """The participant on whose topic the message that starts the saga comes."""
        own = (
            step.to
            for step in self.rows
            if step.kind not in ("delay", "wait") and not step.is_child and step.to is not LOCKS
        )
        return next(own, SIGNALS)

    def row_named(self, name: str) -> Step[Any, Any] | None:
        """The row of a step by its name, or by the name of an item of it; None if there is none."""
        i = self.index.get(name)
        if i is None and name.endswith("]"):
            i = self._index_of_items.get(name.rpartition("[")[0])
        return None if i is None else self.rows[i]

    @cached_property
    def _index_of_items(self) -> dict[str, int]:
        return {row.item_name: i for i, row in enumerate(self.rows) if isinstance(row, Each)}

    @cached_property
    def answers(self) -> dict[type[Message], tuple[tuple[int, str], ...]]:
        """For each reply, the steps that it can answer, each with the field that names it."""
        found: dict[type[Message], list[tuple[int, str]]] = {}
        for i, step in enumerate(self.rows):
            for kind in ("done", "failed", "undone", "unknown"):
                reply = getattr(step, kind)
                if reply:
                    found.setdefault(reply, []).append((i, kind))
        return {reply: tuple(places) for reply, places in found.items()}

    def sent_to(self) -> Iterator[Participant]:
        """Every participant that the saga sends to, once each."""
        seen: dict[str, Participant] = {}
        for step in self.rows:
            if step.kind not in ("delay", "wait"):
                seen.setdefault(step.to.name, step.to)
            if isinstance(step, Wait) and step.remind:
                seen.setdefault(step.remind.to.name, step.remind.to)
        for notice in self.cancelled:
            seen.setdefault(notice.to.name, notice.to)
        return iter(seen.values())

    def scaled(self, factor: float) -> "Saga[S]":
        """The same saga with every duration multiplied by `factor`, for demonstrations."""
        if factor == 1:
            return self
        rows: list[Row[S]] = [
            stage[0].scaled(factor)
            if len(stage) == 1
            else Parallel(*(step.scaled(factor) for step in stage))
            for stage in self.stages
        ]
        deadline = None if self.deadline is None else self.deadline * factor
        return Saga(
            self.name,
            self.version,
            self.starts_on,
            rows,
            self.cancelled,
            deadline,
            self.migrates,
            self.exclusive,
            self.exclusive_within,
        )
