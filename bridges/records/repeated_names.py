"""Finds names that an object of a JSON text has more than once.

JSON parsers differ in which of the values they use: a filter in front of this system could judge
another value than the one that is stored.
"""

import json
from typing import Any


class _RepeatedNameError(Exception):
    """An object has a name more than once. The argument is the name."""


def repeated_name(value: bytes | str) -> str:
    """Return a name that an object in a JSON text has more than once, or "".

    Raises RecursionError if the text is nested too deeply, and ValueError if it is not JSON.
    """
    try:
        # As text: a number of more digits than Python converts is refused elsewhere.
        json.loads(value, object_pairs_hook=_check_names, parse_int=str, parse_float=str)
    except _RepeatedNameError as error:
        return str(error)
    return ""


def may_repeat_order_id(value: bytes) -> bool:
    """Whether an object in a JSON text may have `orderId` twice: a quick test, without parsing."""
    # In a text, quotes are escaped, so only whole names and whole texts are found. A name may be
    # written with escapes, too.
    return value.count(b'"orderId"') > 1 or b"\\u00" in value


def _check_names(pairs: list[tuple[str, Any]]) -> bool:
    # Each name once: the sender chooses how many there are.
    once: set[str] = set()
    for name, _ in pairs:
        if name in once:
            raise _RepeatedNameError(name)
        once.add(name)
    return True
