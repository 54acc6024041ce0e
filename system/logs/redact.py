"""Redacts card numbers and mail addresses in free text of log lines.

Only keys that hold free text are checked. Ids are not changed: an order id that happens to look
like an address or a card number must stay searchable.
"""

import functools
import re
from collections.abc import MutableMapping
from typing import Any

FREE_TEXT = frozenset(
    {"card", "detail", "email", "error", "exception", "message", "reason", "to", "why"}
)

_ADDRESS = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_CARD = re.compile(r"\d(?<![\w-]\d)(?:[ -]?\d){12,18}(?![\w-])")


def redact(event: MutableMapping[str, Any]) -> None:
    """Redact an event in place. The last four digits of a card number are kept."""
    for key in FREE_TEXT.intersection(event):
        value = event[key]
        if isinstance(value, str) and value:
            event[key] = _redacted(value)


@functools.lru_cache(maxsize=1024)  # few distinct texts make up most lines
def _redacted(text: str) -> str:
    return _CARD.sub(_masked, _ADDRESS.sub("[address]", text) if "@" in text else text)


def _masked(found: re.Match[str]) -> str:
    digits = [int(digit) for digit in found[0] if digit.isdigit()]
    doubled = [2 * digit - 9 * (digit > 4) for digit in digits[-2::-2]]
    is_card = (sum(doubled) + sum(digits[-1::-2])) % 10 == 0
    return f"[card ending {found[0][-4:]}]" if is_card else found[0]
