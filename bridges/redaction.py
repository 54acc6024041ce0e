"""Redacts card numbers and mail addresses in text that people or other systems wrote."""

import functools
import re

# Both patterns take linear time: they begin only where no longer match could have begun, and every
# repetition is bounded.
_ADDRESS = re.compile(r"(?<![\w.+-])[\w.+-]{1,254}@[\w-]{1,63}(?:\.[\w-]{1,63}){0,8}")
_CARD = re.compile(r"\d(?<![\w-]\d)(?:[ .-]?\d){12,18}(?![\w-])")


FEWEST = 13
"""Minimum number of digits of a card number."""

_AS_ZEROS = bytes(ord("0") if 48 <= byte <= 57 else byte for byte in range(256))
_BETWEEN = b" .-"
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
    return _redacted(text)


@functools.lru_cache(maxsize=1024)  # few distinct texts make up most of the rest
def _redacted(text: str) -> str:
    return without_cards(_ADDRESS.sub("[address]", text) if "@" in text else text)


def without_cards(text: str) -> str:
    """Return the text with each card number replaced by its last four digits."""
    return _CARD.sub(_masked, text)


def _masked(found: re.Match[str]) -> str:
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    is_card = (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
    return f"[card ending {''.join(map(str, digits[-4:]))}]" if is_card else found[0]
