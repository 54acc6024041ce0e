"""Reader of files with messages: one JSON value, an array of them, or JSON Lines."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

_BOM = b"\xef\xbb\xbf"


class Given(NamedTuple):
    """The fields of a message, or the problem with them, and the line; 0 if there is one value."""

    line: int
    fields: Any
    problem: str = ""


def read_json(raw: bytes, *, one: bool = False) -> Iterator[Given]:
    """Yield the messages of a file. A bad line does not stop the reading; empty lines are skipped.

    With `one`, the text must be one value, and an array is no list of messages.
    """
    raw = raw.removeprefix(_BOM)
    try:
        whole = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        lines = [line for line in raw.splitlines() if line.strip()]
        if one or not _is_json_lines(lines):
            yield Given(0, None, f"not JSON: {error}")
            return
        for number, line in enumerate(raw.split(b"\n"), 1):
            if line.strip():
                yield _line(number, line)
        return
    if isinstance(whole, list) and not one:
        for fields in whole:
            yield Given(0, fields)
    else:
        yield Given(0, whole)


def _is_json_lines(lines: list[bytes]) -> bool:
    """Whether it is more likely JSON Lines with a bad line than a bad JSON value."""
    return len(lines) > 1 and any(not _line(0, line).problem for line in lines[:100])


def _line(number: int, line: bytes) -> Given:
    try:
        return Given(number, msgspec.json.decode(line))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Given(number, None, f"not JSON: {error}")
