"""Redacts card numbers and mail addresses in text that people or other systems wrote."""

import functools
import re

# The patterns take linear time: they begin only where no longer match could have begun, or after a
# gap between digits, and every repetition is bounded.
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,254}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
_GAP = r"[ \t\n\r.\u00a0\u2007\u2009\u202f\u2010-\u2015-]"
_CARD = re.compile(rf"\d(?<![\w-]\d)(?:{_GAP}?\d){{12,18}}(?!-?\w)")
_WRITTEN_CARD = re.compile(
    rf"(?<![\w-])(?:\d{{13,19}}|\d{{4}}(?:{_GAP}{{1,3}}\d{{4}}){{3}}|"
    rf"\d{{4}}{_GAP}{{1,3}}\d{{6}}{_GAP}{{1,3}}\d{{4,5}})(?!-?\w)"
)
"""A card number in the groups of cards, also between other numbers, such as the date after it."""

FEWEST = 13
"""Minimum number of digits of a card number."""
LONGEST_REMEMBERED = 1000
"""Maximum length of a text whose result is cached: a dead letter has up to 2 MB."""

_AS_ZEROS = bytes(ord("0") if 48 <= byte <= 57 else byte for byte in range(256))
_BETWEEN = b" \t\n\r.-"
"""Characters that may separate the digits of a card number."""
_DIGITS_OF_CARD = b"0" * FEWEST


def redacted(text: str) -> str:
    """Return the text with addresses and card numbers replaced."""
    # Most log lines have neither, and a search costs ten times as much as this check. Letters
    # separate digits, so an order id that is a UUID seldom passes for the digits of a card.
    if "@" not in text and (
        len(text) < FEWEST
        or (text.isascii() and _DIGITS_OF_CARD not in text.encode().translate(_AS_ZEROS, _BETWEEN))
    ):
        return text
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else _redacted(text)


def _redacted(text: str) -> str:
    return without_cards(_ADDRESS.sub("[address]", text) if "@" in text else text)


_remembered = functools.lru_cache(maxsize=1024)(_redacted)
# Most of the texts that have to be searched are repetitions.


def without_cards(text: str) -> str:
    """Return the text with each card number replaced by its last four digits."""
    parts: list[str] = []
    end = 0
    found = _WRITTEN_CARD.search(text)
    while found:
        if (masked := _masked(found)) != found[0]:
            parts += text[end : found.start()], masked
            end = found.end()
        # Groups that are not a card may overlap the first groups of a card.
        found = _WRITTEN_CARD.search(text, max(end, found.start() + 1))
    return _CARD.sub(_masked, "".join((*parts, text[end:])))


def _masked(found: re.Match[str]) -> str:
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    is_card = (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
    return f"[card ending {''.join(map(str, digits[-4:]))}]" if is_card else found[0]
