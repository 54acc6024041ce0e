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
be retried until they succeed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from operator import attrgetter
from typing import Any, ClassVar

import attrs

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.retry import Retry

Command = Callable[[Any], Message]
"""Makes a command from the message that started the saga. Must be a pure function."""


def seconds(n: float) -> float:
    """A duration of `n` seconds. All durations in a definition are in seconds."""
    return n


def minutes(n: float) -> float:
    """A duration of `n` minutes, in seconds."""
    return n * 60


def hours(n: float) -> float:
    """A duration of `n` hours, in seconds."""
    return n * 3600


@attrs.frozen
class Participant:
    """A service that takes part in sagas: its name, its topic, and the key of its records.

    `keyed_by` returns the key of a message. The key decides the shard, and so the worker that owns
    the entity. The default is the order id.
    """

    name: str
    topic: str
    keyed_by: Callable[[Any], str] = attrgetter("order_id")


@attrs.frozen
class Failure:
    """Why a saga is compensated: the step that failed, a code for programs, a reason for people."""

    step: str
    code: str
    reason: str


def _positive(step: Any, attribute: Any, value: float | None) -> None:
    if value is not None and value <= 0:
        raise DefinitionError(f"step {step.name!r}: {attribute.name} must be positive, not {value}")


@attrs.frozen
class Step:
    """One row of a saga.

    `do` makes the command, `done` and `failed` are the replies to it, and `within` is its deadline
    in seconds. A step without `done` waits for no reply. A step without `do` was done by the
    message that started the saga; only the first row can be one.

    `undo` makes the compensation, `undone` is the reply to it, and `undo_within` its deadline in
    seconds. An `undo` without `undone` is not acknowledged, and not waited for. A step that needs
    no compensation must say `needs_no_undo=True`.

    Raises DefinitionError if the fields contradict each other.
    """

    is_child: ClassVar[bool] = False
    """True if the step runs a saga; see `Child`."""

    name: str
    to: Participant = attrs.field(kw_only=True)
    do: Command | None = attrs.field(default=None, kw_only=True)
    done: type[Message] | None = attrs.field(default=None, kw_only=True)
    failed: type[Message] | None = attrs.field(default=None, kw_only=True)
    within: float | None = attrs.field(default=None, kw_only=True, validator=_positive)
    retry: Retry = attrs.field(factory=Retry, kw_only=True)
    undo: Command | None = attrs.field(default=None, kw_only=True)
    undone: type[Message] | None = attrs.field(default=None, kw_only=True)
    undo_within: float = attrs.field(default=30.0, kw_only=True, validator=_positive)
    undo_retry: Retry = attrs.field(factory=lambda: Retry(attempts=8), kw_only=True)
    needs_no_undo: bool = attrs.field(default=False, kw_only=True)
    pivot: bool = attrs.field(default=False, kw_only=True)

    def __attrs_post_init__(self) -> None:
        def refuse(rule: str) -> None:
            raise DefinitionError(f"step {self.name!r}: {rule}")

        if not self.name:
            raise DefinitionError("a step needs a name")
        if self.done and not self.do:
            refuse("has a reply (`done`) but no command (`do`)")
        if self.failed and not self.done:
            refuse("can fail (`failed`) but never succeed (`done`)")
        if self.done and self.within is None:
            refuse("waits for a reply, so it needs a deadline (`within`)")
        if self.within is not None and not self.done:
            refuse("has a deadline (`within`) but waits for no reply (`done`)")
        if self.undone and not self.undo:
            refuse("has an `undone` reply but no `undo`")
        if self.undo and self.needs_no_undo:
            refuse("has an `undo` and says that it needs none")

    def scaled(self, factor: float) -> "Step":
        """The same step with every duration multiplied by `factor`."""
        if factor == 1:
            return self

        def stretch(retry: Retry) -> Retry:
            return attrs.evolve(
                retry, backoff=retry.backoff * factor, longest=retry.longest * factor
            )

        return attrs.evolve(
            self,
            within=None if self.within is None else self.within * factor,
            undo_within=self.undo_within * factor,
            retry=stretch(self.retry),
            undo_retry=stretch(self.undo_retry),
        )


@attrs.frozen(init=False)
class Parallel:
    """Steps that are sent together.

    The group is complete when all are done, and is undone as a whole.
    """

    members: tuple[Step, ...]

    def __init__(self, *members: Step) -> None:
        if len(members) < 2:
            raise DefinitionError("a parallel group needs two steps or more")
        # Attrs makes it.
        self.__attrs_init__(members)  # pyright: ignore[reportAttributeAccessIssue]


@attrs.frozen
class Notice:
    """A message that is sent once when a saga has been cancelled.

    `send` gets the start and the failure.
    """

    to: Participant
    send: Callable[[Any, Failure], Message]


def _stages(rows: Sequence[Step | Parallel]) -> tuple[tuple[Step, ...], ...]:
    return tuple(row.members if isinstance(row, Parallel) else (row,) for row in rows)


def _notices(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    return tuple(notices)


@attrs.frozen(slots=False)
class Saga:
    """A saga definition: the message that starts it, its steps, the notices when it is cancelled.

    Raises DefinitionError on creation if a name is used twice, if a step after the pivot can be
    undone, if a step before it cannot be undone and does not say `needs_no_undo`, or if the
    definition has more than one pivot.
    """

    name: str
    version: int
    starts_on: type[Message]
    stages: tuple[tuple[Step, ...], ...] = attrs.field(converter=_stages, alias="steps")
    cancelled: tuple[Notice, ...] = attrs.field(default=(), converter=_notices)

    def __attrs_post_init__(self) -> None:
        self._check()

    @cached_property
    def rows(self) -> tuple[Step, ...]:
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
    def answers(self) -> dict[type[Message], tuple[tuple[int, str], ...]]:
        """For each reply, the steps that it can answer, each with "done", "failed" or "undone"."""
        found: dict[type[Message], list[tuple[int, str]]] = {}
        for i, step in enumerate(self.rows):
            for kind in ("done", "failed", "undone"):
                reply = getattr(step, kind)
                if reply:
                    found.setdefault(reply, []).append((i, kind))
        return {reply: tuple(places) for reply, places in found.items()}

    def sent_to(self) -> Iterator[Participant]:
        """Every participant that the saga sends to, once each."""
        seen: dict[str, Participant] = {}
        for step in self.rows:
            seen.setdefault(step.to.name, step.to)
        for notice in self.cancelled:
            seen.setdefault(notice.to.name, notice.to)
        return iter(seen.values())

    def scaled(self, factor: float) -> "Saga":
        """The same saga with every duration multiplied by `factor`, for demonstrations."""
        if factor == 1:
            return self
        rows = [
            stage[0].scaled(factor)
            if len(stage) == 1
            else Parallel(*(step.scaled(factor) for step in stage))
            for stage in self.stages
        ]
        return Saga(self.name, self.version, self.starts_on, rows, self.cancelled)

    def _check(self) -> None:
        def refuse(rule: str) -> None:
            raise DefinitionError(f"saga {self.name!r}: {rule}")

        if not self.name or "/" in self.name:
            refuse("its name must not be empty or hold a '/'")
        if self.version < 1:
            refuse("versions count from 1")
        if not self.rows:
            refuse("needs a step")
        names = [step.name for step in self.rows]
        for name in names:
            if names.count(name) > 1:
                refuse(f"two steps are named {name!r}")
        if sum(step.pivot for step in self.rows) > 1:
            refuse("has more than one pivot")
        for n, stage in enumerate(self.stages):
            for step in stage:
                if step.do is None and n > 0:
                    refuse(f"step {step.name!r} has no `do`: only the first row may have none")
                if n < self.pivot_stage and not (step.undo or step.needs_no_undo):
                    refuse(
                        f"step {step.name!r} needs an `undo`, "
                        "or `needs_no_undo=True`, or to come after a pivot"
                    )
                if n > self.pivot_stage and step.undo and not step.is_child:
                    refuse(f"step {step.name!r} can be undone, so it must come before the pivot")
                if n > self.pivot_stage and step.failed and not step.is_child:
                    refuse(f"step {step.name!r} comes after the pivot, so it must not fail")
