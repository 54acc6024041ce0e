"""Rows of a saga that are no single command: groups, delays, waits, a step for each of many."""

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, overload

import attrs

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.field_checks import check_duration, check_message, shown
from order_sagas.actors.sagas.functions import check_takes, takes
from order_sagas.actors.sagas.known_replies import Replies
from order_sagas.actors.sagas.participant import (
    SIGNALS,
    TIMER,
    Participant,
    Receiver,
    participant_of,
)
from order_sagas.actors.sagas.same_fields import SameFields, function_of
from order_sagas.actors.sagas.step import Read, S, Step, reads_of

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    Item = TypeVar("Item", default=Any)
else:
    from typing import TypeVar

    Item = TypeVar("Item")

Condition = Callable[[S], bool] | Callable[[S, Replies], bool]
"""Whether a row applies: a pure function of the start, or of the start and the replies."""


@attrs.frozen(init=False)
class Parallel(Generic[S]):
    """Steps that are sent together.

    The group is complete when all are done, and is undone as a whole.
    """

    members: tuple[Step[S, Replies], ...]

    def __init__(self, *members: Step[S, Replies]) -> None:
        for each in members:
            if not isinstance(each, Step):
                raise DefinitionError(
                    "a parallel group takes steps: write Parallel(Step(...), Step(...)), "
                    f"not {shown(each)}"
                )
        if len(members) < 2:
            raise DefinitionError("a parallel group needs two steps or more")
        # Attrs makes it.
        self.__attrs_init__(members)  # pyright: ignore[reportAttributeAccessIssue]


@attrs.frozen(init=False)
class Delay(Step[S, Replies]):
    """Waits for `time` seconds, then the saga goes on.

    It lasts at least as long, over restarts too: the time at which it ends is stored. Outages and
    pauses do not lengthen it. While it lasts the saga can be cancelled; there is nothing to undo.
    """

    kind: ClassVar[str] = "delay"

    def __init__(
        self,
        name: str,
        time: float,
        *,
        when: Condition[S] | None = None,
        reads: Iterable[Read] = (),
    ) -> None:
        check_duration(f"step {name!r}: `time`", time)
        # Attrs makes it.
        self.__attrs_init__(  # type: ignore[attr-defined, unused-ignore]  # pyright: ignore
            name, to=TIMER, within=time, needs_no_undo=True, when=when, reads=reads
        )

    def _check(self) -> None:
        """Has a duration that is checked already."""


def _takes(reminder: Any) -> int:
    count = takes(reminder.send, "a reminder: `send`")
    check_takes("a reminder: `send`", count, "start", "start, replies")
    return count


@attrs.frozen(init=False)
class Remind(Generic[S]):
    """A message that is repeated `every` so many seconds while a `Wait` waits.

    `send` takes the start, or the start and the replies; or it is a message class, as in a `Step`.
    """

    every: float
    to: Participant = attrs.field(converter=participant_of)
    send: Callable[[S], Message] | Callable[[S, Replies], Message] = attrs.field(
        converter=function_of
    )
    takes: int = attrs.field(
        default=attrs.Factory(_takes, takes_self=True), init=False, repr=False, eq=False
    )

    if TYPE_CHECKING:

        @overload
        def __init__(
            self, every: float, to: Receiver, send: Callable[[S], Message] | type[Message]
        ) -> None: ...
        @overload
        def __init__(
            self, every: float, to: Receiver, send: Callable[[S, Replies], Message]
        ) -> None: ...
        def __init__(self, every: float, to: Receiver, send: Any) -> None: ...

    else:

        def __init__(self, every: float, to: Receiver, send: Any) -> None:
            self.__attrs_init__(every, to, send)

    def __attrs_post_init__(self) -> None:
        check_duration("a reminder: `every`", self.every)


@attrs.frozen(init=False)
class Wait(Step[S, Replies]):
    """Waits for a message of a person or another system, from the topic of `SIGNALS`.

    `for_` lets the saga go on, `refused` fails the step. After `within` seconds without either the
    step fails with the code `timed_out`; after the pivot, the saga needs attention instead.
    `remind` is repeated until then. There is nothing to undo.
    """

    kind: ClassVar[str] = "wait"

    remind: Remind[S] | None = attrs.field(default=None, kw_only=True)

    def __init__(
        self,
        name: str,
        *,
        for_: type[Message],
        within: float,
        refused: type[Message] | None = None,
        remind: Remind[S] | None = None,
        when: Condition[S] | None = None,
        reads: Iterable[Read] = (),
    ) -> None:
        check_message(f"step {name!r}: `for_`", for_)
        if refused is not None:
            check_message(f"step {name!r}: `refused`", refused)
        check_duration(f"step {name!r}: `within`", within)
        if remind is not None and not isinstance(remind, Remind):
            raise DefinitionError(
                f"step {name!r}: `remind` must be a Remind, such as Remind(hours(1), to=..., "
                f"send=...), not {shown(remind)}"
            )
        # Attrs makes it.
        self.__attrs_init__(  # type: ignore[attr-defined, unused-ignore]  # pyright: ignore
            name,
            to=SIGNALS,
            done=for_,
            failed=refused,
            within=within,
            needs_no_undo=True,
            when=when,
            reads=reads,
            remind=remind,
        )

    @property
    def repeat_every(self) -> float | None:
        """Seconds from one reminder to the next."""
        return self.remind.every if self.remind else None

    @property
    def takes_replies(self) -> bool:
        """True if the condition or the reminder takes the replies of other steps."""
        return self.when_takes > 1 or (self.remind is not None and self.remind.takes > 1)

    def _check(self) -> None:
        if self.done is self.failed:
            self._refuse("`for_` and `refused` must be different messages")

    def scaled(self, factor: float) -> Step[S, Replies]:
        """The same row with every duration multiplied by `factor`."""
        if factor == 1:
            return self
        told = self.remind
        remind = told and Remind[S](told.every * factor, told.to, told.send)
        return self.changed(within=(self.within or 0.0) * factor, remind=remind)


@attrs.frozen(init=False)
class Each(Step[S, Replies], Generic[S, Item]):  # type: ignore[override]
    """One step for each item of `over`, known when the saga gets there.

    The items are sent at once, or one after another with `in_order`. The row is complete when all
    are done, and is undone whole: at once, or the newest first with `in_order`. The functions of
    `step` take the start and the item, and the replies if they take a third argument.

    An item's step has the name of `step` with its number, counted from 0, like `"book seat[2]"`;
    replies carry it in `step`. A reply that does not is taken for the first item that waits.

    `step` may be a `Child`: then each item runs a saga of its own, whose order id must be another
    for each item.

    `over` is called whenever it is needed, so it must be pure, and must read nothing that changes
    later. Without items the row is skipped.
    """

    kind: ClassVar[str] = "each"

    over: Callable[..., Iterable[Any]] = attrs.field(kw_only=True)
    step: Step[Any, Any] = attrs.field(kw_only=True)
    in_order: bool = attrs.field(default=False, kw_only=True)
    over_takes: int = attrs.field(default=1, init=False, repr=False, eq=False)
    _items: dict[int, Step[Any, Any]] = attrs.field(factory=dict, init=False, repr=False, eq=False)

    @overload
    def __init__(
        self,
        name: str,
        *,
        over: Callable[[S], Iterable[Item]],
        step: Step[S, Item],
        in_order: bool = False,
        when: Condition[S] | None = None,
        reads: Iterable[Read] = (),
    ) -> None: ...
    @overload
    def __init__(
        self,
        name: str,
        *,
        over: Callable[[S, Replies], Iterable[Item]],
        step: Step[S, Item],
        in_order: bool = False,
        when: Condition[S] | None = None,
        reads: Iterable[Read] = (),
    ) -> None: ...
    def __init__(
        self,
        name: str,
        *,
        over: Callable[..., Iterable[Item]],
        step: Step[S, Item],
        in_order: bool = False,
        when: Condition[S] | None = None,
        reads: Iterable[Read] = (),
    ) -> None:
        if not isinstance(step, Step):
            raise DefinitionError(f"step {name!r}: its `step` must be a Step, not {shown(step)}")
        # Attrs makes it.
        self.__attrs_init__(  # type: ignore[attr-defined, unused-ignore]  # pyright: ignore
            name,
            to=step.to,
            do=step.do,
            done=step.done,
            failed=step.failed,
            within=step.within,
            retry=step.retry,
            undo=step.undo,
            undone=step.undone,
            undo_within=step.undo_within,
            undo_retry=step.undo_retry,
            needs_no_undo=step.needs_no_undo,
            ask=step.ask,
            unknown=step.unknown,
            when=when,
            reads=(*reads_of(reads), *step.reads),
            over=over,
            step=step,
            in_order=in_order,
        )

    def _check(self) -> None:
        step = self.step
        if step.kind != "step" or not step.do:
            self._refuse("its `step` must be a step with a command (`do`)")
        if step.pivot:
            self._refuse("its `step` must not be a pivot: a saga has one")
        if step.when:
            self._refuse("its `step` must have no `when`; leave items out in `over`")
        for field in ("do", "undo", "ask"):
            if isinstance(given := getattr(step, field), SameFields):
                self._refuse(
                    f"`{field}` of its `step` must be a function of the start and the item, not "
                    f"the class {given.message.__name__}"
                )
        what = f"step {self.name!r}: `over`"
        count = takes(self.over, what)
        check_takes(what, count, "start", "start, replies")
        object.__setattr__(self, "over_takes", count)

    @property
    def runs(self) -> Any:
        """The definition of the saga that each item runs, if the row's step is a `Child`."""
        return self.step.runs

    @property
    def item_name(self) -> str:
        """The name of the items' steps, without their numbers."""
        return self.step.name

    @property
    def takes_replies(self) -> bool:
        """True if a function of the row or of its step takes the replies of other steps."""
        functions = (self.do_takes, self.undo_takes, self.ask_takes)
        return max(self.over_takes, self.when_takes) > 1 or max(functions) > 2

    def item_step(self, number: int) -> Step[Any, Any]:
        """The step of an item, without what its functions say."""
        found = self._items.get(number)
        if found is None:
            found = self._items[number] = self.step.changed(name=f"{self.step.name}[{number}]")
        return found

    def scaled(self, factor: float) -> Step[S, Replies]:
        """The same row with every duration multiplied by `factor`."""
        if factor == 1:
            return self
        return Each(
            self.name,
            over=self.over,
            step=self.step.scaled(factor),
            in_order=self.in_order,
            when=self.when,
            reads=self.reads[: len(self.reads) - len(self.step.reads)],
        )
