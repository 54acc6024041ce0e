"""What an operator does with dead letters, of whichever log: read, replay, discard.

A letter that was seen to is marked by one more record of the same topic, so that what was done, by
whom and why stays in the log beside the letter, and no letter is ever changed or lost.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs
import msgspec

from order_sagas.actors.clock import Clock, SystemClock, iso
from order_sagas.actors.participants import DEAD_LETTERS
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.logs.log_writer import LetterRow, LogWriter
from order_sagas.bridges.records.record import Headers, Outgoing

MARK = "dead-letter-mark"
"""The header of a record that says what was done with a letter: the letter's number."""

_ABOUT = tuple(f"dead-letter-{each}" for each in ("topic", "partition", "offset", "error", "time"))


class LetterError(BridgeError, LookupError):
    """There is no such letter, or it cannot be replayed; says which and why."""


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was done with a letter: `replayed` or `discarded`."""

    letter: int
    action: str
    by: str
    why: str = ""
    at: str = ""


@attrs.frozen
class Letter:
    """A record that nobody could handle, with what was done about it since."""

    number: int
    topic: str
    """Where it came from, with its partition and offset; empty for one that nobody wrote for us."""
    partition: int
    offset: int
    error: str
    time: str
    key: bytes | None
    value: bytes | None
    headers: Headers
    """As they came, without those that tell of the error."""
    mark: Mark | None = None


@attrs.frozen
class LetterFilter:
    """Letters that nobody has seen to and that fit all of it; what is empty fits any."""

    topic: str = ""
    error: str = ""
    """A part of the error's text, in any case."""
    older_than: float = 0.0
    """Seconds since it became a dead letter, at least."""


class LetterSource(Protocol):
    """Where dead letters are read: nothing is written there, and no log is opened to write to."""

    def letters(self) -> Iterator[LetterRow]:
        """What is among the dead letters, the oldest first; marks come behind their letters."""
        ...


class LetterReader:
    """The dead letters of a log, to look at."""

    def __init__(self, source: LetterSource, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()

    def all(self) -> list[Letter]:
        """Every letter, oldest first."""
        return _letters(self._source.letters())

    def get(self, number: int) -> Letter:
        """One letter; raises LetterError if there is none of this number."""
        for letter in self.all():
            if letter.number == number:
                return letter
        raise LetterError(f"there is no dead letter {number}")

    def choose(self, which: LetterFilter) -> list[Letter]:
        """The letters that nobody has seen to and that fit, oldest first."""
        until = iso(self._clock.now() - which.older_than)
        return [
            letter
            for letter in self.all()
            if not letter.mark
            and which.topic in ("", letter.topic)
            and which.error.casefold() in letter.error.casefold()
            and (not which.older_than or "" < letter.time <= until)
        ]


class Letters(LetterReader):
    """The dead letters of a log, to see to."""

    def __init__(self, log: LogWriter, clock: Clock | None = None) -> None:
        super().__init__(log, clock)
        self._log = log

    def replay(self, numbers: Sequence[int], by: str, why: str = "", *, again: bool = False) -> int:
        """Put the records of these letters on their topics once more, whole, and mark the letters.

        All or nothing, and one that was seen to only if `again`; raises LetterError. Answers how
        many systems are running.
        """
        letters = self._open(numbers, again)
        records = []
        for letter in letters:
            if not letter.topic:
                raise LetterError(f"dead letter {letter.number} does not say where it came from")
            records.append(
                Outgoing(letter.topic, letter.partition, letter.key, letter.value, letter.headers)
            )
        self._finish(letters, records, "replayed", by, why)
        return self._log.running or 0

    def discard(self, numbers: Sequence[int], by: str, why: str, *, again: bool = False) -> None:
        """Mark the letters as needing nothing more; raises LetterError as `replay` does."""
        self._finish(self._open(numbers, again), [], "discarded", by, why)

    def _open(self, numbers: Sequence[int], again: bool) -> list[Letter]:
        known = {letter.number: letter for letter in self.all()}
        for number in numbers:
            letter = known.get(number)
            if letter is None:
                raise LetterError(f"there is no dead letter {number}")
            if letter.mark and not again:
                mark = letter.mark
                raise LetterError(
                    f"dead letter {number} was {mark.action} by {mark.by} at {mark.at}; "
                    "--again does it once more"
                )
        return [known[number] for number in dict.fromkeys(numbers)]

    def _finish(
        self, letters: list[Letter], records: list[Outgoing], action: str, by: str, why: str
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


def _letters(rows: Iterator[LetterRow]) -> list[Letter]:
    found: dict[int, Letter] = {}
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
        found[position] = Letter(
            position, topic, int(partition or 0), int(offset or -1), error, time, key, value, own
        )
    return list(found.values())
