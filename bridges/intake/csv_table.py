"""Reader of CSV tables as spreadsheets and other systems write them.

Only what is unambiguous is recognised: a byte order mark, the line ends CR, LF and CRLF, a first
line such as `sep=;`, and the delimiter of a header that holds all required columns. Everything else
is an error that names the line; no byte, cell or row is dropped or replaced.
"""

import codecs
import csv
import io
from collections.abc import Iterator
from typing import NamedTuple

from order_sagas.bridges.errors import BridgeError

LONGEST_CELL = 131_072
"""Maximum length of a cell, in characters. It is the limit of Python's csv module."""

_DELIMITERS = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a vertical bar"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class FileError(BridgeError, ValueError):
    """The whole file cannot be read; nothing of it was used."""


class TableRow(NamedTuple):
    """A row of a table: its first line, its cells by column, and why it is refused, if it is."""

    line: int
    cells: dict[str, str]
    problem: str = ""


def decode_text(raw: bytes, encoding: str = "") -> str:
    """The text of a file, in `encoding`, or by its byte order mark, or in UTF-8.

    Raises FileError if a byte does not belong to the encoding; the error names byte and line.
    """
    if raw.startswith(b"PK\x03\x04"):
        raise FileError("this is a workbook or a ZIP file, not text: save it as CSV in UTF-8")
    found = encoding
    for mark, name in _MARKS:
        if raw.startswith(mark) and _may_be(encoding, name):
            raw, found = raw[len(mark) :], name
            break
    if not found and b"\0" in raw:
        line = raw[: raw.index(b"\0")].count(b"\n") + 1
        raise FileError(
            f"line {line}: a byte is 0, so this is not text in UTF-8: name the encoding, such as "
            "--encoding utf-16-le"
        )
    try:
        return raw.decode(found or "utf-8")
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode(found or "utf-8", errors="replace")
        line = _lines_in(before)
        advice = "name another" if encoding else "name the encoding, such as --encoding cp1252"
        byte = f"byte 0x{raw[error.start]:02x}" if error.start < len(raw) else "the end"
        raise FileError(
            f"line {line}: {byte} (at {error.start}) is not {found or 'UTF-8'}: {advice}"
        ) from None
    except (LookupError, UnicodeError) as error:
        raise FileError(f"encoding {found!r}: {error}") from None


def check_encoding(name: str) -> str:
    """The name of a text encoding that Python supports; raises FileError otherwise."""
    try:
        "a".encode(name).decode(name)
    except (LookupError, ValueError):
        raise FileError(
            f"encoding {name!r} is not known; known are, among others, utf-8, utf-16, cp1252, "
            "iso-8859-15"
        ) from None
    return name


def read_table(text: str, required: tuple[str, ...]) -> Iterator[TableRow]:
    """Yield the rows after the header; rows without any cell filled in are skipped.

    A row with more cells than columns, or with a value below an empty column name, has a problem.
    A cell that is missing at the end of a row is empty. Raises FileError if the header lacks a
    required column or names a column twice, and at a quote that is not closed before the next row,
    a cell longer than LONGEST_CELL, or text behind a closing quote.
    """
    lines = io.StringIO(text.removeprefix("\ufeff"), newline=None).readlines()
    delimiter, skipped = _delimiter_of(lines, required)
    reader = csv.reader(lines[skipped:], delimiter=delimiter, strict=True)
    names: list[str] | None = None
    begin = skipped + 1
    while True:
        try:
            row = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            raise _error_in(lines, begin, reader.line_num + skipped, delimiter, error) from None
        end = reader.line_num + skipped
        if end > begin and names:
            _check_quoted_lines(row, begin, end, delimiter, len(names))
        if names is None:
            names = _header(row, begin, required)
        elif any(cell.strip() for cell in row):
            yield _row(names, row, begin)
        begin = end + 1
    if names is None:
        _header([], 1, required)


def whole_number(text: str, name: str) -> int:
    """A whole number of ASCII digits; raises ValueError that names the field and what is wrong."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    if digits.isascii() and digits.isdecimal() and len(digits) <= 20:
        return int(text)
    shown = repr(text) if len(text) <= 40 else f"{text[:40]!r}..."
    why = f"{name}: {shown} is not a whole number"
    if any(mark in digits for mark in ".,_' \u00a0\u202f"):
        why += " (no separators and no decimals; prices are minor units, such as cents)"
    raise ValueError(why)


def _may_be(encoding: str, marked: str) -> bool:
    """Whether text in `encoding` may begin with the byte order mark of `marked`."""
    return not encoding or codecs.lookup(encoding).name.split("-")[:2] == marked.split("-")[:2]


def _lines_in(text: str) -> int:
    return text.count("\n") + text.count("\r") - text.count("\r\n") + 1


def _delimiter_of(lines: list[str], required: tuple[str, ...]) -> tuple[str, int]:
    """The delimiter, and how many lines come before the header."""
    first = lines[0].strip("\n") if lines else ""
    if first.lower().strip('"').startswith("sep="):
        named = first.strip('"')[4:]
        if named not in _DELIMITERS:
            known = ", ".join(_DELIMITERS.values())
            raise FileError(f"line 1: the delimiter {named!r} is not one of {known}")
        return named, 1
    skipped = next((i for i, line in enumerate(lines) if line.strip()), 0)
    header = lines[skipped] if lines else ""
    for delimiter in _DELIMITERS:
        names = {cell.strip().strip('"').strip().lower() for cell in header.split(delimiter)}
        if names.issuperset(required):
            return delimiter, skipped
    return ",", skipped


def _header(row: list[str], line: int, required: tuple[str, ...]) -> list[str]:
    names = [cell.strip().lower() for cell in row]
    missing = [name for name in required if name not in names]
    if missing:
        raise FileError(
            f"line {line}: the header lacks {', '.join(missing)}; it has to be "
            f"{','.join(required)}, with one delimiter: {', '.join(_DELIMITERS.values())}"
        )
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise FileError(f"line {line}: the header names {', '.join(twice)} more than once")
    return names


def _row(names: list[str], row: list[str], line: int) -> TableRow:
    cells = {name: cell.strip() for name, cell in zip(names, row, strict=False) if name}
    for name in names[len(row) :]:
        cells[name] = ""
    problem = ""
    if len(row) > len(names):
        problem = (
            f"{len(row)} cells, but the header has {len(names)} columns (a cell that holds the "
            "delimiter has to be in quotes)"
        )
    elif any(cell.strip() and not name for name, cell in zip(names, row, strict=False)):
        problem = "a cell is filled in where the header has no column name"
    return TableRow(line, cells, problem)


def _check_quoted_lines(row: list[str], begin: int, end: int, delimiter: str, columns: int) -> None:
    """Raise FileError if a quoted cell holds a line that looks like a row."""
    for cell in row:
        for inner in cell.split("\n")[1:]:
            if inner.count(delimiter) >= columns - 1 > 0:
                raise FileError(
                    f"line {begin}: a quote opens in this row and closes only in line {end}, over "
                    "lines that look like rows"
                )


def _error_in(
    lines: list[str], begin: int, end: int, delimiter: str, error: csv.Error
) -> FileError:
    """The error of a row that begins in line `begin`, with the line of the quote that it opens."""
    if "field larger" in str(error):
        return FileError(
            f"line {begin}: a cell is longer than {LONGEST_CELL} characters, or a quote that opens "
            "in this row is not closed"
        )
    opened = _open_quote(lines[begin - 1 : end], delimiter)
    if "unexpected end" in str(error):
        return FileError(f"line {begin + opened}: a quote opens and is never closed")
    return FileError(
        f"line {begin + opened}: a quote opens and closes in line {end} in the middle of a cell "
        "(a quote within quotes has to be doubled)"
    )


def _open_quote(lines: list[str], delimiter: str) -> int:
    """The index of the line where the last quoted cell opens."""
    opened, quoted, at_start = 0, False, True
    for index, line in enumerate(lines):
        for character in line:
            if character == '"' and (quoted or at_start):
                quoted = not quoted
                if quoted and at_start:
                    opened = index
            at_start = not quoted and character in (delimiter, "\n")
    return opened
