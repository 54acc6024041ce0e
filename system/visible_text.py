"""Shows characters that a terminal would act on, instead of sending them to it.

Texts of others (order ids, reasons, errors of services) could otherwise clear the screen, set its
title, or show lines in another order than they are.
"""

import re

_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]"
)
# Control characters but tab and line feed, line separators, and what changes the direction.


def visible(text: str) -> str:
    r"""Return the text with each unsafe character as an escape, such as `\x1b` or `\u202e`."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def visible_json(text: str) -> str:
    """Return JSON with each unsafe character as an escape of JSON: the data are the same."""
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
