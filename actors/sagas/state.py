"""How far a saga has come: the record of it, which is what the store keeps.

A stored record is a JSON object with the names of these fields; a field that has its default value
is left out. `format` says how to read it: a record with another number is refused. So a field can
be added, with a default, without a new format; to rename one, or to give it another meaning, takes
a new FORMAT and a migration (`bridges/storage/migrations`) that rewrites what is stored.
"""

from enum import IntEnum
from sys import intern
from typing import Any

import msgspec

from order_sagas.actors.sagas.definition import Saga


class Status(IntEnum):
    """Where a saga stands as a whole."""

    RUNNING = 0
    COMPENSATING = 1
    NEEDS_ATTENTION = 2
    COMPLETED = 3
    CANCELLED = 4


class Phase(IntEnum):
    """Where one step stands."""

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


# As plain numbers: a member of an enum costs ten times as much to look up, at every transition.
IDLE, SENT, BACKOFF, STUCK, DONE, FAILED, UNDO_SENT, UNDO_BACKOFF, UNDO_STUCK, UNDONE = map(
    int, Phase
)
RUNNING, COMPENSATING, NEEDS_ATTENTION, COMPLETED, CANCELLED = map(int, Status)


FORMAT = 2
"""Of stored records; 1 was an array of the fields' values, in their order."""


class StepState(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One step: its phase, the attempt (of the command, or of the undo), since when, until when.

    `deadline` is 0.0 when nothing is waited for; times are seconds since the Unix epoch.
    """

    phase: int = Phase.IDLE
    attempt: int = 0
    since: float = 0.0
    deadline: float = 0.0


NOT_STARTED = StepState()


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One line of a saga's history: what happened to which step, when, and what caused it.

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
    """A saga in flight, or ended. `seq` counts its transitions from 1.

    `stage` is the index of the current stage. While the saga runs, all earlier stages are complete;
    while it compensates, all later ones are undone. `steps` are in the order of the definition's
    rows. `start` is the message that started the saga, from which every command is made.
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

    @property
    def deadline(self) -> float | None:
        """The earliest time at which something must happen; None when nothing is waited for."""
        due = [step.deadline for step in self.steps if step.deadline]
        return min(due) if due else None

    @property
    def ended(self) -> bool:
        """Whether the saga reached a final state."""
        return self.status >= COMPLETED


def saga_id_of(saga: str, order_id: str) -> str:
    """The id of the one saga of this definition for this order."""
    return f"{saga}/{order_id}"


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(SagaState)

encode = _encoder.encode
"""A progress as JSON, for the store."""

decode_plain = _decoder.decode
"""The progress that `encode` wrote, with `start` as plain data: for readers that have no definition
of the saga. Raises msgspec.ValidationError for anything else, another format included."""


def decode(raw: bytes | str, definition: Saga) -> SagaState:
    """The progress that `encode` wrote; raises msgspec.ValidationError for anything else."""
    progress = decode_plain(raw)
    start = msgspec.convert(progress.start, definition.starts_on)
    # A million sagas may wait in memory: what they have in common is kept once.
    return msgspec.structs.replace(
        progress,
        start=start,
        order_id=start.order_id,
        saga=definition.name,
        steps=tuple([NOT_STARTED if s == NOT_STARTED else s for s in progress.steps]),
        history=tuple([_shared(entry) for entry in progress.history]),
    )


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
