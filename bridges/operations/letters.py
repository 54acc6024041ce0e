"""Dead letters as stored in the records of the log, with marks of what was done with them.

Every record of the topic that is not a mark is a letter. A letter without its origin can be shown
and discarded.
"""

import re

import attrs
import msgspec

from order_sagas.actors.clock import iso
from order_sagas.bridges.logs.log_writer import DeadLetterRow, is_mark
from order_sagas.bridges.records.dead_letter import ABOUT
from order_sagas.bridges.records.record import Headers

SHOWN = 2048
"""Maximum number of bytes of a value, of a key and of all headers in a list of letters."""
LONGEST_KIND = 160
"""Maximum number of characters of the kind of an error."""

_DIFFERS = re.compile(r"""'[^']*'|"[^"]*"|`[^`]*`|\d+(?:[.,:]\d+)*""")


def kind_of(error: str) -> str:
    """Return an error without quoted texts and numbers, which differ between records."""
    return _DIFFERS.sub("…", error.strip())[:LONGEST_KIND]


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
    """The earliest time at which it became a dead letter, in seconds since the Unix epoch."""
    until: float | None = None
    """The time before which it became a dead letter."""

    def matches(self, letter: DeadLetter, now: float) -> bool:
        """Whether a letter meets all conditions, marked or not; `now` is in epoch seconds.

        A letter without the time at which it became one meets no condition on times.
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


EVERY_LETTER = DeadLetterFilter()


@attrs.define
class LetterGroup:
    """Open dead letters of one topic with the same kind of error."""

    topic: str
    kind: str
    """The error without quoted texts and numbers; see `kind_of`."""
    count: int
    oldest: str
    """When the oldest became a dead letter, in ISO 8601; empty if this is unknown."""
    newest: str
    example: str
    """The error of the oldest."""


def mark_of(row: DeadLetterRow) -> Mark | None:
    """The mark in a record of `dead-letters`; None for a letter, and for a malformed mark."""
    _, _, value, headers = row
    if not is_mark(headers):
        return None
    try:
        return msgspec.json.decode(value or b"", type=Mark)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def letter_of(row: DeadLetterRow) -> DeadLetter:
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


def cut(letter: DeadLetter) -> DeadLetter:
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
