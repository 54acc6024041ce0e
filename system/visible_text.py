"""Untrusted text for a terminal: control characters are shown as escapes, not executed."""

import re

_OBEYED = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)
"""Control characters but tab and line feed, line separators, characters that change the direction
of text or have no width, and halves of surrogate pairs, which no output can encode."""


def visible(text: str) -> str:
    r"""Return the text with control characters as `\x1b` or `\u202e`.

    Line feeds and tabs are kept. Ids, reasons and errors come from other systems: a terminal would
    change its title, clear itself or show a text backwards.
    """
    return _OBEYED.sub(_escape, text)


def visible_json(text: str) -> str:
    r"""Return JSON with the characters of `visible` in its strings as `\u` escapes."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
