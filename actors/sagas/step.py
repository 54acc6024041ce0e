"""One row of a saga: a command to a participant, its replies, its compensation."""

import copy
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypedDict, overload

import attrs

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import Message
from order_sagas.actors.sagas.field_checks import (
    check_duration,
    check_message,
    check_text,
    is_message,
    list_of,
    shown,
)
from order_sagas.actors.sagas.functions import takes
from order_sagas.actors.sagas.known_replies import Replies
from order_sagas.actors.sagas.participant import Participant, Receiver, participant_of
from order_sagas.actors.sagas.retry import Retry
from order_sagas.actors.sagas.same_fields import function_of

if TYPE_CHECKING:
    from typing_extensions import TypeVar, Unpack

    S = TypeVar("S", bound=Message)
    X = TypeVar("X", default=Any)
else:
    from typing import TypeVar

    S = TypeVar("S", bound=Message)
    X = TypeVar("X")

Read = type[Message] | str
"""A reply that the functions of a step read: its class, or the name of the step that gave it."""


class StepFields(TypedDict, total=False):
    """The fields of a step whose types do not depend on its functions; see `Step`."""

    done: type[Message] | None
    failed: type[Message] | None
    within: float | None
    retry: Retry
    undone: type[Message] | None
    undo_within: float
    undo_retry: Retry
    needs_no_undo: bool
    pivot: bool
    reads: Iterable[Read]
    ask: Callable[..., Message] | type[Message] | None
    unknown: type[Message] | None
    check: Callable[..., str] | None


def positive(step: Any, attribute: Any, value: float | None) -> None:
    """Raise DefinitionError for anything but a positive duration: a validator of attrs."""
    check_duration(f"step {step.name!r}: `{attribute.name}`", value)


def _message(step: Any, attribute: Any, value: Any) -> None:
    check_message(f"step {step.name!r}: `{attribute.name}`", value)


def _retry(step: Any, attribute: Any, value: Any) -> None:
    if not isinstance(value, Retry):
        raise DefinitionError(
            f"step {step.name!r}: `{attribute.name}` must be a Retry, such as Retry(attempts=3), "
            f"not {shown(value)}"
        )


_reply = attrs.validators.optional(_message)


def reads_of(given: Iterable[Read]) -> tuple[Read, ...]:
    """Return what a step reads; a converter of attrs. Raises DefinitionError for other things."""
    words = "message classes and names of steps"
    return list_of(words, lambda read: isinstance(read, str) or is_message(read), "`reads`", given)


def _count_of(field: str) -> Any:
    """An attribute with the number of arguments that the function in `field` takes."""

    def count(step: Any) -> int:
        return takes(getattr(step, field), f"step {step.name!r}: `{field}`")

    factory = attrs.Factory(count, takes_self=True)
    return attrs.field(default=factory, init=False, repr=False, eq=False)


@attrs.frozen(init=False)
class Step(Generic[S, X]):
    """One row of a saga.

    `to` is the participant, or the class of its service. `do` makes the command, `done` and
    `failed` are the replies to it, and `within` is its deadline in seconds. A step without `done`
    waits for no reply. A step with `done` but without `do` is done by an event: its participant
    acts on a record that was sent already, and the saga waits for the outcome; nothing can be sent
    again, so there is one attempt. A step without both was done by the message that started the
    saga; only the first row can be one.

    `undo` makes the compensation, `undone` is the reply to it, and `undo_within` its deadline in
    seconds. An `undo` without `undone` is not acknowledged, and not waited for. A step that needs
    no compensation must say `needs_no_undo=True`.

    The functions take the message that started the saga, or that message and the `Replies` of the
    steps before. `reads` names the replies that they read: only those are stored. Without it, all
    replies of earlier steps are stored if a function takes them. All functions must be pure.

    In place of a function, `do`, `undo` and `ask` may be a message class: the message then has the
    order id of the start, and its fields of the same names.

    With `when`, the step is skipped if the condition does not hold when the saga gets to it. A step
    that was skipped is never undone.

    `ask` makes a command that asks the participant what became of the first. It is sent when the
    deadline passes, before anything is repeated or undone, and at most `retry.attempts` times. It
    is answered with `done`, `failed`, or `unknown`: the command never arrived, and is sent again.

    `check` compares a `done` reply with the start: it takes both (in an `Each`, the item between
    them), and returns how the reply differs from what was asked, or "". A reply that differs is no
    success: the step is stuck, and the saga needs attention.

    Raises DefinitionError if a field is wrong, or fields contradict each other.
    """

    kind: ClassVar[str] = "step"
    name: str
    to: Participant = attrs.field(converter=participant_of, kw_only=True)
    do: Callable[..., Message] | None = attrs.field(
        default=None, converter=function_of, kw_only=True
    )
    done: type[Message] | None = attrs.field(default=None, kw_only=True, validator=_reply)
    failed: type[Message] | None = attrs.field(default=None, kw_only=True, validator=_reply)
    within: float | None = attrs.field(
        default=None, kw_only=True, validator=attrs.validators.optional(positive)
    )
    retry: Retry = attrs.field(factory=Retry, kw_only=True, validator=_retry)
    undo: Callable[..., Message] | None = attrs.field(
        default=None, converter=function_of, kw_only=True
    )
    undone: type[Message] | None = attrs.field(default=None, kw_only=True, validator=_reply)
    undo_within: float = attrs.field(default=30.0, kw_only=True, validator=positive)
    undo_retry: Retry = attrs.field(
        factory=lambda: Retry(attempts=8), kw_only=True, validator=_retry
    )
    needs_no_undo: bool = attrs.field(default=False, kw_only=True)
    pivot: bool = attrs.field(default=False, kw_only=True)
    when: Callable[..., bool] | None = attrs.field(default=None, kw_only=True)
    reads: tuple[Read, ...] = attrs.field(default=(), converter=reads_of, kw_only=True)
    ask: Callable[..., Message] | None = attrs.field(
        default=None, converter=function_of, kw_only=True
    )
    unknown: type[Message] | None = attrs.field(default=None, kw_only=True, validator=_reply)
    check: Callable[..., str] | None = attrs.field(default=None, kw_only=True)

    do_takes: int = _count_of("do")
    undo_takes: int = _count_of("undo")
    when_takes: int = _count_of("when")
    ask_takes: int = _count_of("ask")
    check_takes: int = _count_of("check")
    is_plain: bool = attrs.field(
        default=attrs.Factory(
            lambda row: row.kind == "step" and row.when is None and row.repeat_every is None,
            takes_self=True,
        ),
        init=False,
        repr=False,
        eq=False,
    )
    """True if the row is sent whenever the saga gets to it."""

    if TYPE_CHECKING:
        # One signature for each number of arguments, so that checkers know the types of lambdas.

        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S], Message] | type[Message] | None = None,
            undo: Callable[[S], Message] | type[Message] | None = None,
            when: Callable[[S], bool] | Callable[[S, Replies], bool] | None = None,
            **fields: Unpack[StepFields],
        ) -> None: ...
        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S, X], Message],
            undo: Callable[[S], Message] | type[Message] | None = None,
            when: Callable[[S], bool] | Callable[[S, Replies], bool] | None = None,
            **fields: Unpack[StepFields],
        ) -> None: ...
        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S], Message] | type[Message] | None = None,
            undo: Callable[[S, X], Message],
            when: Callable[[S], bool] | Callable[[S, Replies], bool] | None = None,
            **fields: Unpack[StepFields],
        ) -> None: ...
        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S, X], Message],
            undo: Callable[[S, X], Message],
            when: Callable[[S], bool] | Callable[[S, Replies], bool] | None = None,
            **fields: Unpack[StepFields],
        ) -> None: ...
        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S, X], Message],
            undo: Callable[[S, X, Replies], Message],
            **fields: Unpack[StepFields],
        ) -> None: ...
        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S, X, Replies], Message],
            undo: Callable[[S, X, Replies], Message],
            **fields: Unpack[StepFields],
        ) -> None: ...
        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S, X, Replies], Message],
            undo: None = None,
            **fields: Unpack[StepFields],
        ) -> None: ...
        @overload
        def __init__(
            self,
            name: str,
            *,
            to: Receiver,
            do: Callable[[S, X, Replies], Message],
            undo: Callable[[S, X], Message],
            **fields: Unpack[StepFields],
        ) -> None: ...
        def __init__(self, name: str, **fields: Any) -> None: ...

    else:

        def __init__(self, name: str, **fields: Any) -> None:
            known = [each.name for each in attrs.fields(Step) if each.init and each.name != "name"]
            for wrong in fields.keys() - known:
                raise DefinitionError(
                    f"step {name!r} has no field {wrong!r}; its fields are {', '.join(known)}"
                )
            if "to" not in fields:
                raise DefinitionError(
                    f"step {name!r} needs `to`: a Participant, or the class of a service"
                )
            self.__attrs_init__(name, **fields)

        @classmethod
        def __class_getitem__(cls, given: Any) -> Any:
            # A TypeVar has no default before Python 3.13: `Step[Start]` is `Step[Start, Any]`.
            given = given if isinstance(given, tuple) else (given,)
            missing = len(cls.__parameters__) - len(given)
            return super().__class_getitem__((*given, *[Any] * missing))

    def __attrs_post_init__(self) -> None:
        check_text("the name of a step", self.name)
        if not self.name:
            raise DefinitionError("a step needs a name")
        if self.name.endswith("]"):
            self._refuse("a name must not end with ']', as the names of the items of an `Each` do")
        self._check()

    @property
    def repeat_every(self) -> float | None:
        """Seconds after which a waiting step repeats its message, until `within` is over.

        None for steps that do not repeat it while they wait: `retry` repeats them after `within`.
        """
        return None

    @property
    def runs(self) -> Any:
        """The definition of the saga that the step runs, if it is a `Child` or an `Each` of one."""
        return None

    @property
    def is_child(self) -> bool:
        """True if the step runs another saga; see `Child`."""
        return self.runs is not None

    @property
    def takes_replies(self) -> bool:
        """True if a function of the step takes the replies of other steps."""
        return max(self.do_takes, self.undo_takes, self.when_takes, self.ask_takes) > 1

    def _refuse(self, rule: str) -> None:
        raise DefinitionError(f"step {self.name!r}: {rule}")

    def _check(self) -> None:
        refuse = self._refuse
        if self.done and not self.do and self.ask:
            refuse("asks for an outcome (`ask`) of a command, but has none (`do`)")
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
        if self.ask and not self.done:
            refuse("asks for an outcome (`ask`) but waits for none (`done`)")
        if self.check and not self.done:
            refuse("checks its reply (`check`) but waits for none (`done`)")
        if self.unknown and not self.ask:
            refuse("has an `unknown` reply but no `ask`")
        replies = {
            kind: reply
            for kind in ("done", "failed", "undone", "unknown")
            if (reply := getattr(self, kind))
        }
        for kind, reply in replies.items():
            same = [f"`{other}`" for other, found in replies.items() if found is reply]
            if len(same) > 1 and same[0] == f"`{kind}`":
                refuse(f"{' and '.join(same)} are both {reply.__name__}: no reply could be told")
        if self.pivot and self.done and self.needs_no_undo:
            refuse(
                "is a pivot that is waited for, so it must not say `needs_no_undo`: when no reply "
                "comes it may have happened, and what came before it would be undone"
            )
        if self.pivot and self.done and self.undo and not self.undone:
            refuse(
                "is a pivot that is waited for and has an `undo`, so it needs an `undone` reply: "
                "nothing before it may be undone until it is known to be undone itself"
            )

    @property
    def is_done_by_event(self) -> bool:
        """True if the step waits for the outcome of something that no command of it began."""
        return self.kind == "step" and self.do is None and self.done is not None

    def scaled(self, factor: float) -> "Step[S, X]":
        """The same step with every duration multiplied by `factor`."""
        if factor == 1:
            return self

        def stretch(retry: Retry) -> Retry:
            return attrs.evolve(
                retry, backoff=retry.backoff * factor, longest=retry.longest * factor
            )

        return self.changed(
            within=None if self.within is None else self.within * factor,
            undo_within=self.undo_within * factor,
            retry=stretch(self.retry),
            undo_retry=stretch(self.undo_retry),
        )

    def changed(self, **changes: Any) -> "Step[S, X]":
        """A copy with other values; not `attrs.evolve`, because subclasses have their own init."""
        changed = copy.copy(self)
        for name, value in changes.items():
            object.__setattr__(changed, name, value)
        return changed
