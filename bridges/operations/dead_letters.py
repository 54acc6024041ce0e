"""Operations on dead letters, on either log: list, replay, discard.

A letter that was replayed or discarded is marked by another record of the same topic. So the log
shows what was done, by whom and why, and no letter is changed or removed. Any other record in the
topic is a letter; one without its origin can only be shown and discarded.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Protocol

import attrs
import msgspec

from order_sagas.actors.clock import Clock, SystemClock, iso
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.logs.log_writer import MARK, DeadLetterRow, LogWriter, is_mark
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.records.dead_letter import ABOUT
from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.storage.operator_actions import LETTER

SHOWN = 2048
"""Maximum number of bytes of a value, of a key and of all headers in a list of letters."""

MOST_BYTES = 64 * 1024 * 1024
"""Maximum size in bytes of the letters that are replayed in one transaction."""

LONGEST_WHY, LONGEST_BY = 1000, 200
"""Maximum length of the reason and the name in a mark, in characters: marks are read whole."""


GROUPED = 10_000
"""Maximum number of letters that are read for groups or for a page, those included that were
replayed or discarded."""
LONGEST_KIND = 160
"""Maximum number of characters of the kind of an error."""

_DIFFERS = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\d+(?:[.,:]\d+)*""")


def kind_of(error: str) -> str:
    """Return an error without the parts that differ between records: quoted texts and numbers."""
    return _DIFFERS.sub("…", error.strip())[:LONGEST_KIND]


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
    is_cut: bool = False
    """True if key, value and headers are only shown in part, as in lists."""


@attrs.frozen
class DeadLetterFilter:
    """Selects letters that meet all conditions; an empty condition matches any."""

    topic: str = ""
    error: str = ""
    """A part of the error's text, ignoring case."""
    older_than: float = 0.0
    """Minimum age as a dead letter, in seconds."""
    kind: str = ""
    """The kind of the error, as in a `LetterGroup`."""
    numbers: frozenset[int] = frozenset()
    """Numbers of letters."""
    since: float | None = None
    """The time since which it is a dead letter, in seconds since the Unix epoch; included."""
    until: float | None = None
    """The time before which it became one."""

    def matches(self, letter: DeadLetter, now: float) -> bool:
        """Whether a letter meets all conditions, marked or not; `now` is in epoch seconds.

        One that does not say when it became a dead letter meets no condition of times.
        """
        oldest = None if self.since is None else iso(self.since)
        newest = None if self.until is None else iso(self.until)
        if self.older_than:
            aged = iso(now - self.older_than)
            newest = aged if newest is None else min(newest, aged)
        return (
            self.topic in ("", letter.topic)
            and self.error.casefold() in letter.error.casefold()
            and (oldest is None or oldest <= letter.time)
            and (newest is None or "" < letter.time < newest)
            and self.kind in ("", kind_of(letter.error))
            and (not self.numbers or letter.number in self.numbers)
        )


@attrs.define
class LetterGroup:
    """Open dead letters of one topic with the same kind of error."""

    topic: str
    kind: str
    """The error without the parts that differ between records: quoted texts and numbers."""
    count: int
    oldest: str
    """When the oldest became a dead letter, in ISO 8601; empty if it does not say."""
    newest: str
    example: str
    """The error of the oldest."""


class DeadLetterSource(Protocol):
    """Where dead letters are read from; see `LogWriter`. Reading opens no log for writing."""

    def letters(self, after: int | None = None) -> Iterator[DeadLetterRow]:
        """The records of `dead-letters`, oldest first: at most HEAD bytes of keys and values."""
        ...

    def marks(self) -> Iterator[DeadLetterRow]:
        """The records that say what was done with a letter, oldest first."""
        ...

    def whole(self, numbers: Sequence[int]) -> Iterator[DeadLetterRow]:
        """The records with these numbers, whole, as far as there are any."""
        ...


class DeadLetterReader:
    """Reads the dead letters of a log.

    A list holds at most SHOWN bytes of each letter's key, value and headers; `get` returns a letter
    whole.
    """

    def __init__(self, source: DeadLetterSource, clock: Clock | None = None) -> None:
        self._source = source
        self._clock = clock or SystemClock()

    def all(self) -> list[DeadLetter]:
        """Every letter, oldest first."""
        return list(self._each())

    def page(
        self,
        limit: int,
        after: int | None = None,
        *,
        marked: bool = False,
        which: DeadLetterFilter = DeadLetterFilter(),
    ) -> tuple[list[DeadLetter], int | None]:
        """At most `limit` letters after the one with number `after`, and the `after` of the next.

        That is None on the last page. Only letters that match, and were neither replayed nor
        discarded, unless `marked`. At most GROUPED are read, so a page may have fewer, or none, and
        not be the last.
        """
        found: list[DeadLetter] = []
        now, last = self._clock.now(), None
        for read, letter in enumerate(self._each(after)):
            if read == GROUPED:
                return found, last
            last = letter.number
            if (marked or not letter.mark) and which.matches(letter, now):
                if len(found) == limit:
                    return found, found[-1].number
                found.append(letter)
        return found, None

    def get(self, number: int) -> DeadLetter:
        """The letter with this number, whole; raises DeadLetterError if there is none."""
        for row in self._source.whole([number]):
            letter = _letter(row)
            if _mark(row) is None:
                return attrs.evolve(letter, mark=self._marks().get(number))
        raise DeadLetterError(f"there is no dead letter {number}")

    def choose(self, which: DeadLetterFilter, *, marked: bool = False) -> list[DeadLetter]:
        """The letters that match the filter, oldest first: the unmarked ones, unless `marked`."""
        now = self._clock.now()
        return [
            letter
            for letter in self._each()
            if (marked or not letter.mark) and which.matches(letter, now)
        ]

    def groups(self) -> tuple[list[LetterGroup], bool]:
        """Return the open letters in groups, the one with the oldest letter first.

        At most GROUPED letters are read, the oldest; also returns whether there are more.
        """
        groups: dict[tuple[str, str], LetterGroup] = {}
        for read, letter in enumerate(self._each()):
            if read == GROUPED:
                return [*groups.values()], True
            if letter.mark:
                continue
            key = (letter.topic, kind_of(letter.error))
            group = groups.get(key)
            if group is None:
                groups[key] = LetterGroup(*key, 1, letter.time, letter.time, letter.error)
            else:
                group.count += 1
                group.newest = letter.time
        return [*groups.values()], False

    def _each(self, after: int | None = None) -> Iterator[DeadLetter]:
        """The letters after the one with number `after`, cut; one at a time is in memory."""
        marks = self._marks()
        for row in self._source.letters(after):
            if _mark(row) is None:
                letter = _cut(_letter(row))
                mark = marks.get(letter.number)
                yield attrs.evolve(letter, mark=mark) if mark else letter

    def _marks(self) -> dict[int, Mark]:
        """The last mark of each letter that has one."""
        marks = map(_mark, self._source.marks())
        return {mark.letter: mark for mark in marks if mark}


class DeadLetterOperations(DeadLetterReader):
    """Replays and discards the dead letters of a log."""

    def __init__(
        self, log: LogWriter, clock: Clock | None = None, origin: Origin | None = None
    ) -> None:
        super().__init__(log, clock)
        self._log = log
        self._origin = origin or Origin()

    def replay(self, numbers: Sequence[int], by: str, why: str = "", *, again: bool = False) -> int:
        """Append the records of these letters to their topics again, and mark the letters.

        In one transaction: all or none. Letters that are marked are replayed only with `again`.
        Raises DeadLetterError, also if the letters have more than MOST_BYTES. Returns how many
        systems are running.
        """
        letters, size = [], 0
        for letter in self._open(numbers, by, why, again=again):
            if not letter.topic:
                raise DeadLetterError(f"dead letter {letter.number} has no header with its topic")
            if letter.partition >= self._log.partitions:
                raise DeadLetterError(
                    f"dead letter {letter.number} says it is from partition {letter.partition}, "
                    f"but there are {self._log.partitions} partitions"
                )
            letters.append(letter)
            size += len(letter.value or b"")
            if size > MOST_BYTES:
                raise DeadLetterError(
                    f"these letters have more than {MOST_BYTES >> 20} MiB, which is the most that "
                    "is replayed at once: name fewer"
                )
        records = [
            Outgoing(letter.topic, letter.partition, letter.key, letter.value, letter.headers)
            for letter in letters
        ]
        self._finish(letters, records, "replayed", by, why)
        return self._log.running or 0

    def discard(self, numbers: Sequence[int], by: str, why: str, *, again: bool = False) -> None:
        """Mark the letters as discarded. Raises DeadLetterError as `replay` does."""
        letters = [_cut(letter) for letter in self._open(numbers, by, why, again=again)]
        self._finish(letters, [], "discarded", by, why)

    def _open(
        self, numbers: Sequence[int], by: str, why: str, *, again: bool
    ) -> Iterator[DeadLetter]:
        """The letters, whole; raises DeadLetterError unless there are all and may be acted on."""
        if len(why) > LONGEST_WHY or len(by) > LONGEST_BY:
            raise DeadLetterError(
                f"a reason has at most {LONGEST_WHY} characters, and a name {LONGEST_BY}"
            )
        marks = self._marks()
        wanted = list(dict.fromkeys(numbers))
        missing = set(wanted)
        for row in self._source.whole(wanted):
            letter = _letter(row)
            if _mark(row) is not None:
                continue
            missing.discard(letter.number)
            mark = marks.get(letter.number)
            if mark and not again:
                raise DeadLetterError(
                    f"dead letter {letter.number} was {mark.action} by {mark.by} at {mark.at}; "
                    "--again repeats it"
                )
            yield letter
        if missing:
            raise DeadLetterError(f"there is no dead letter {min(missing)}")

    def _finish(
        self, letters: list[DeadLetter], records: list[Outgoing], action: str, by: str, why: str
    ) -> None:
        now = self._clock.now()
        at = iso(now)
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
            note_effects(
                self._log.db,
                cursor,
                self._origin,
                kind=LETTER,
                targets=[str(letter.number) for letter in letters],
                action="replay" if action == "replayed" else "discard",
                by=by,
                why=why,
                now=now,
            )


def _mark(row: DeadLetterRow) -> Mark | None:
    """The mark in a record of `dead-letters`; None if it is a letter, also if it is malformed."""
    _, _, value, headers = row
    if not is_mark(headers):
        return None
    try:
        return msgspec.json.decode(value or b"", type=Mark)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _letter(row: DeadLetterRow) -> DeadLetter:
    """The letter in a record of `dead-letters`, whatever is in it."""
    number, key, value, headers = row
    names = tuple(name for name, _ in headers[-len(ABOUT) :])
    texts = [text.decode("utf-8", "backslashreplace") for _, text in headers[-len(ABOUT) :]]
    if names == ABOUT and _is_number(texts[1]) and _is_number(texts[2].removeprefix("-")):
        topic, partition, offset, error, time = texts
        own = headers[: -len(ABOUT)]
        return DeadLetter(number, topic, int(partition), int(offset), error, time, key, value, own)
    error = "this record of dead-letters does not say where it came from"
    return DeadLetter(number, "", 0, -1, error, "", key, value, headers)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _cut(letter: DeadLetter) -> DeadLetter:
    """The letter with at most SHOWN bytes of its key, of its value, and of its headers."""
    key, value, headers = letter.key or b"", letter.value or b"", letter.headers
    size = sum(len(name) + len(text) for name, text in headers)
    if max(len(key), len(value), size) <= SHOWN:
        return letter
    return attrs.evolve(
        letter,
        key=letter.key and key[:SHOWN],
        value=letter.value and value[:SHOWN],
        headers=headers if size <= SHOWN else (),
        is_cut=True,
    )
