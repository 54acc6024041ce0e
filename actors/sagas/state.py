"""The state of a saga, as it is stored.

It is stored as a JSON object by field name; fields with their default value are left out. `format`
is the version of the format, and a record with another version is rejected. A field with a default
can be added without a new version. To rename a field, or to change its meaning, increase FORMAT and
add a migration (`bridges/storage/migrations`) that rewrites the stored records.
"""

from enum import IntEnum
from sys import intern
from typing import Any

import msgspec

from order_sagas.actors.sagas.definition import Saga


class Status(IntEnum):
    """The state of a saga as a whole."""

    RUNNING = 0
    COMPENSATING = 1
    NEEDS_ATTENTION = 2
    COMPLETED = 3
    CANCELLED = 4


class Phase(IntEnum):
    """The state of one step."""

    IDLE = 0
    SENT = 1
    BACKOFF = 2
    STUCK = 3
    DONE = 4
    FAILED = 5
    UNDO_SENT = 6
    UNDO_BACKOFF = 7
    UNDO_STUCK = 8
    UNDONE = 9
    SKIPPED = 10
    ASKED = 11


# As plain numbers, because looking up a member of an enum takes ten times as long.
(
    IDLE, SENT, BACKOFF, STUCK, DONE, FAILED, UNDO_SENT, UNDO_BACKOFF, UNDO_STUCK, UNDONE, SKIPPED,
    ASKED,
) = map(int, Phase)  # fmt: skip
RUNNING, COMPENSATING, NEEDS_ATTENTION, COMPLETED, CANCELLED = map(int, Status)


FORMAT = 2
"""Version of the stored format. Version 1 was an array of the fields' values, in their order."""


NO_DEADLINE = 0.0
"""A deadline that does not exist. A field is left out only if its value is the very object of its
default, so use this and no other zero."""


class StepState(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The state of one step: phase, attempt, start of the current wait, deadline.

    `attempt` counts the sends of the command or, in the phases of the undo, of the compensation.
    For a `Wait` it counts the reminders. `asked` counts the questions what became of the command.

    `since` and `deadline` are seconds since the Unix epoch; `deadline` is 0.0 if the step waits for
    nothing.
    """

    phase: int = Phase.IDLE
    attempt: int = 0
    since: float = 0.0
    deadline: float = NO_DEADLINE
    asked: int = 0


NOT_STARTED = StepState()
"""The state of a step before it is sent; one object for all sagas."""


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One entry of a saga's history: when what happened to which step, and what caused it.

    Repetitions of an ignored message share one entry: `times` counts them, `last` is the time of
    the newest (0.0 if there was only one), and the other fields are those of the first.
    """

    at: float
    event: str
    step: str = ""
    attempt: int = 0
    cause: str = ""
    note: str = ""
    times: int = 1
    last: float = 0.0


class SagaState(
    msgspec.Struct, frozen=True, omit_defaults=True, gc=False, tag_field="format", tag=FORMAT
):
    """The state of a saga, in flight or ended. `seq` counts its transitions from 1.

    `stage` is the index of the current stage. While running, all earlier stages are complete; while
    compensating, all later stages are undone. `steps` are in the order of the definition's rows,
    and after them come the items of each `Each` that was reached; `items` has the row of each of
    these. `start` is the message that started the saga; every command is made from it.

    `replies` are those that a function of the definition may read, by the name of the step or item.
    `due` is when the deadline of the whole saga passes (seconds since the Unix epoch), 0.0 if there
    is none or it means nothing any more.
    """

    saga_id: str
    order_id: str
    saga: str
    version: int
    status: int
    stage: int
    steps: tuple[StepState, ...]
    start: Any
    started_at: float
    seq: int = 0
    ended_at: float = 0.0
    failed_step: str = ""
    code: str = ""
    reason: str = ""
    history: tuple[HistoryEntry, ...] = ()
    items: tuple[int, ...] = ()
    replies: dict[str, Any] | None = None
    due: float = NO_DEADLINE

    @property
    def deadline(self) -> float | None:
        """The earliest deadline of the saga or of a step (seconds since the epoch), or None."""
        due = [step.deadline for step in self.steps if step.deadline]
        if self.due:
            due.append(self.due)
        return min(due) if due else None

    @property
    def ended(self) -> bool:
        """True if the saga is completed or cancelled."""
        return self.status >= COMPLETED


def saga_id_of(saga: str, order_id: str) -> str:
    """The id of the saga of this definition for this order."""
    return f"{saga}/{order_id}"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SagaState)

encode = _encoder.encode
"""The state of a saga as JSON."""

decode_plain = _decoder.decode
"""The state that `encode` wrote, with `start` as plain data, for readers without the definition of
the saga. Raises msgspec.ValidationError for anything else, including other formats."""


def decode(raw: bytes | str, definition: Saga[Any]) -> SagaState:
    """The state that `encode` wrote; raises msgspec.ValidationError for anything else."""
    return typed(decode_plain(raw), definition)


def typed(progress: SagaState, definition: Saga[Any]) -> SagaState:
    """The state with its plain `start` and `replies` as messages of the definition.

    Raises msgspec.ValidationError if they are no such messages.
    """
    start = msgspec.convert(progress.start, definition.starts_on)
    replies = progress.replies and _converted(progress.replies, definition)
    # A million sagas may be in memory, so equal parts are shared.
    return msgspec.structs.replace(
        progress,
        start=start,
        order_id=start.order_id,
        saga=definition.name,
        steps=tuple([NOT_STARTED if s == NOT_STARTED else s for s in progress.steps]),
        history=tuple([_shared(entry) for entry in progress.history]),
        replies=replies,
    )


def _converted(replies: dict[str, Any], definition: Saga[Any]) -> dict[str, Any]:
    """The stored replies as messages. Without those of steps that the definition has no more."""
    rows = {name: definition.row_named(name) for name in replies}
    return {
        intern(name): msgspec.convert(reply, row.done)
        for name, reply in replies.items()
        if (row := rows[name]) and row.done
    }


def _shared(entry: HistoryEntry) -> HistoryEntry:
    return HistoryEntry(
        entry.at,
        intern(entry.event),
        intern(entry.step),
        entry.attempt,
        entry.cause,
        entry.note,
        entry.times,
        entry.last,
    )
