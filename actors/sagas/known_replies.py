"""The replies of the steps that are done, as the functions of later steps see them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec.structs import replace

from order_sagas.actors.errors import ReplyError
from order_sagas.actors.messages import Message

if TYPE_CHECKING:
    from order_sagas.actors.sagas.table import Table

M = TypeVar("M", bound=Message)


class Replies:
    """Replies by class: `replies[FlightBooked]` is the reply of the step that it answered.

    If several steps are answered with one class, ask by the name of the step: `replies.of("book
    flight", FlightBooked)`. A step's own compensation, and an item of an `Each`, get their own
    reply for their own class.

    Only what the definition says that it reads is stored, without the fields that say how a message
    travelled. A step that was skipped, or whose outcome is unknown, has no reply.
    """

    __slots__ = ("_own", "_saga", "_stored")

    def __init__(self, saga: "Table", stored: Mapping[str, Message] | None, own: str = "") -> None:
        self._saga = saga
        self._stored = stored or {}
        self._own = own

    def __getitem__(self, reply: type[M]) -> M:
        """The reply of this class; raises ReplyError if there is none, or more than one step."""
        found = self.get(reply)
        if found is None:
            raise ReplyError(
                f"saga {self._saga.name!r}: step {self._step_of(reply)!r} has no reply "
                f"{reply.__name__}: it was skipped, or its outcome is unknown"
            )
        return found

    def get(self, reply: type[M]) -> M | None:
        """The reply of this class; None if its step was skipped or its outcome is unknown.

        Raises ReplyError if no step or several steps are answered with it, or if it is not stored.
        """
        return self._typed(self._step_of(reply), reply)

    def of(self, step: str, reply: type[M]) -> M:
        """The reply of the step of this name; raises ReplyError as indexing does.

        An item of an `Each` is named like `"book seat[2]"`, counted from 0.
        """
        row = self._saga.row_named(step)
        if row is None or row.done is not reply:
            raise ReplyError(
                f"saga {self._saga.name!r}: step {step!r} is not answered with {reply.__name__}"
            )
        self._check_stored(row.name, reply)
        found = self._typed(step, reply)
        if found is None:
            raise ReplyError(
                f"saga {self._saga.name!r}: step {step!r} has no reply {reply.__name__}: "
                "it was skipped, or its outcome is unknown"
            )
        return found

    def all(self, reply: type[M]) -> tuple[M, ...]:
        """Every stored reply of this class, in the order of the definition and of the items."""
        found = []
        for row in self._rows_of(reply):
            self._check_stored(row.name, reply)
            names = [row.name] if row.kind != "each" else self._items_of(row.item_name)
            found += [self._typed(name, reply) for name in names]
        return tuple(each for each in found if each is not None)

    def _step_of(self, reply: type[Message]) -> str:
        own = self._saga.row_named(self._own) if self._own else None
        if own is not None and own.done is reply:
            return self._own
        rows = self._rows_of(reply)
        if len(rows) > 1 or rows[0].kind == "each":
            names = ", ".join(repr(row.name) for row in rows)
            raise ReplyError(
                f"saga {self._saga.name!r}: {reply.__name__} answers more than one step ({names}); "
                "use `replies.of(step, reply)` or `replies.all(reply)`"
            )
        self._check_stored(rows[0].name, reply)
        name: str = rows[0].name
        return name

    def _rows_of(self, reply: type[Message]) -> list[Any]:
        rows = [row for row in self._saga.rows if row.done is reply]
        if not rows:
            raise ReplyError(f"saga {self._saga.name!r}: {reply.__name__} answers no step")
        return rows

    def _check_stored(self, name: str, reply: type[Message]) -> None:
        if self._saga.index[name] not in self._saga.kept:
            raise ReplyError(
                f"saga {self._saga.name!r}: the reply {reply.__name__} of step {name!r} is not "
                "stored; name it in `reads` of the step that reads it"
            )

    def _items_of(self, name: str) -> list[str]:
        numbers = [
            int(key[len(name) + 1 : -1]) for key in self._stored if key.startswith(f"{name}[")
        ]
        return [f"{name}[{number}]" for number in sorted(numbers)]

    def _typed(self, step: str, reply: type[M]) -> M | None:
        found = self._stored.get(step)
        return found if isinstance(found, reply) else None


def bare(message: Message) -> Message:
    """A message without the fields that say how it travelled."""
    return replace(
        message,
        event_id="",
        saga_id="",
        step="",
        attempt=0,
        causation_id="",
        occurred_at="",
        schema_version=0,
        traceparent="",
        tracestate="",
    )
