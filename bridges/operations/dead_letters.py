"""Operations on dead letters, on either log: list, replay, discard.

A letter that was replayed or discarded is marked by another record of the same topic. So the log
shows what was done, by whom and why, and no letter is changed or removed.
"""

from collections.abc import Iterator, Sequence

import attrs
import msgspec

from order_sagas.actors.clock import Clock, SystemClock, iso
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.logs.log_writer import MARK, DeadLetterSource, LogWriter
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.operations.letters import (
    EVERY_LETTER,
    DeadLetter,
    DeadLetterFilter,
    LetterGroup,
    Mark,
    cut,
    kind_of,
    letter_of,
    mark_of,
)
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.operator_actions import LETTER

MOST_BYTES = 64 * 1024 * 1024
"""Maximum size in bytes of the letters that are replayed in one transaction."""

LONGEST_WHY, LONGEST_BY = 1000, 200
"""Maximum length of the reason and the name in a mark, in characters: marks are read whole."""


GROUPED = 10_000
"""Maximum number of letters that are read for groups or for a page, those included that were
replayed or discarded."""


class DeadLetterError(BridgeError, LookupError):
    """The letter does not exist, or cannot be replayed. The message says which and why."""


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
        which: DeadLetterFilter = EVERY_LETTER,
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
            letter = letter_of(row)
            if mark_of(row) is None:
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
            if mark_of(row) is None:
                letter = cut(letter_of(row))
                mark = marks.get(letter.number)
                yield attrs.evolve(letter, mark=mark) if mark else letter

    def _marks(self) -> dict[int, Mark]:
        """The last mark of each letter that has one."""
        marks = map(mark_of, self._source.marks())
        return {mark.letter: mark for mark in marks if mark}


class DeadLetterOperations(DeadLetterReader):
    """Replays and discards the dead letters of a log."""

    def __init__(
        self, log: LogWriter, clock: Clock | None = None, origin: Origin | None = None
    ) -> None:
        super().__init__(log.dead_letters, clock)
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
        letters = [cut(letter) for letter in self._open(numbers, by, why, again=again)]
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
            letter = letter_of(row)
            if mark_of(row) is not None:
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
