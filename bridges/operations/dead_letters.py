"""Operations on dead letters, on either log: list, replay, discard.

A letter that was replayed or discarded is marked by another record of the same topic. So the log
shows what was done, by whom and why, and no letter is changed or removed.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs
import msgspec

from order_sagas.actors.clock import Clock, SystemClock, iso
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.logs.log_writer import DeadLetterRow, LogWriter
from order_sagas.bridges.records.record import Headers, Outgoing

MARK = "dead-letter-mark"
"""The header of a mark. Its value is the number of the letter."""

_ABOUT = tuple(f"dead-letter-{each}" for each in ("topic", "partition", "offset", "error", "time"))


class DeadLetterError(BridgeError, LookupError):
    """The letter does not exist, or cannot be replayed. The message says which and why."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done with a letter: `replayed` or `discarded`."""

    letter: int
    action: str
    by: str
    why: str = ""
    at: str = ""


@attrs.frozen
class DeadLetter:
    """A dead letter, with its mark if it has one."""

    number: int
    topic: str
    """The topic of the original record; empty if the headers that name it are missing."""
    partition: int
    offset: int
    error: str
    time: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    """The headers of the original record, without those that describe the error."""
    mark: Mark | None = None


@attrs.frozen
class DeadLetterFilter:
    """Selects unmarked letters that meet all conditions; an empty condition matches any."""

    topic: str = ""
    error: str = ""
    """A part of the error's text, ignoring case."""
    older_than: float = 0.0
    """Minimum age as a dead letter, in seconds."""


class DeadLetterSource(Protocol):
    """Where dead letters are read from. Reading does not open a log for writing."""

    def letters(self) -> Iterator[DeadLetterRow]:
        """The records of `dead-letters`, oldest first; marks come after their letters."""
        ...


class DeadLetterReader:
    """Reads the dead letters of a log."""

    def __init__(self, source: DeadLetterSource, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()

    def all(self) -> list[DeadLetter]:
        """Every letter, oldest first."""
        return _letters(self._source.letters())

    def get(self, number: int) -> DeadLetter:
        """The letter with this number; raises DeadLetterError if there is none."""
        for letter in self.all():
            if letter.number == number:
                return letter
        raise DeadLetterError(f"there is no dead letter {number}")

    def choose(self, which: DeadLetterFilter) -> list[DeadLetter]:
        """The unmarked letters that match the filter, oldest first."""
        until = iso(self._clock.now() - which.older_than)
        return [
            letter
            for letter in self.all()
            if not letter.mark
            and which.topic in ("", letter.topic)
            and which.error.casefold() in letter.error.casefold()
            and (not which.older_than or "" < letter.time <= until)
        ]


class DeadLetterOperations(DeadLetterReader):
    """Replays and discards the dead letters of a log."""

    def __init__(self, log: LogWriter, clock: Clock | None = None) -> None:
        super().__init__(log, clock)
        self._log = log

    def replay(self, numbers: Sequence[int], by: str, why: str = "", *, again: bool = False) -> int:
        """Append the records of these letters to their topics again, and mark the letters.

        In one transaction: all or none. Letters that are marked are replayed only with `again`.
        Raises DeadLetterError. Returns how many systems are running.
        """
        letters = self._open(numbers, again)
        records = []
        for letter in letters:
            if not letter.topic:
                raise DeadLetterError(f"dead letter {letter.number} has no header with its topic")
            records.append(
                Outgoing(letter.topic, letter.partition, letter.key, letter.value, letter.headers)
            )
        self._finish(letters, records, "replayed", by, why)
        return self._log.running or 0

    def discard(self, numbers: Sequence[int], by: str, why: str, *, again: bool = False) -> None:
        """Mark the letters as discarded. Raises DeadLetterError as `replay` does."""
        self._finish(self._open(numbers, again), [], "discarded", by, why)

    def _open(self, numbers: Sequence[int], again: bool) -> list[DeadLetter]:
        known = {letter.number: letter for letter in self.all()}
        for number in numbers:
            letter = known.get(number)
            if letter is None:
                raise DeadLetterError(f"there is no dead letter {number}")
            if letter.mark and not again:
                mark = letter.mark
                raise DeadLetterError(
                    f"dead letter {number} was {mark.action} by {mark.by} at {mark.at}; "
                    "--again repeats it"
                )
        return [known[number] for number in dict.fromkeys(numbers)]

    def _finish(
        self, letters: list[DeadLetter], records: list[Outgoing], action: str, by: str, why: str
    ) -> None:
        at = iso(self._clock.now())
        marks = [
            Outgoing(
                DEAD_LETTERS,
                letter.partition,
                letter.key,
                msgspec.json.encode(Mark(letter.number, action, by, why, at)),
                ((MARK, str(letter.number).encode()),),
            )
            for letter in letters
        ]
        with self._log.transaction() as cursor:
            self._log.put(cursor, records)
            self._log.put(cursor, marks, handled=True)


def _letters(rows: Iterator[DeadLetterRow]) -> list[DeadLetter]:
    found: dict[int, DeadLetter] = {}
    for position, key, value, headers in rows:
        if headers and headers[-1][0] == MARK:
            mark = msgspec.json.decode(value or b"", type=Mark)
            if mark.letter in found:
                found[mark.letter] = attrs.evolve(found[mark.letter], mark=mark)
            continue
        own, about = headers, dict.fromkeys(_ABOUT, "")
        if tuple(name for name, _ in headers[-len(_ABOUT) :]) == _ABOUT:
            own = headers[: -len(_ABOUT)]
            about = {name: text.decode() for name, text in headers[-len(_ABOUT) :]}
        topic, partition, offset, error, time = about.values()
        found[position] = DeadLetter(
            position, topic, int(partition or 0), int(offset or -1), error, time, key, value, own
        )
    return list(found.values())
