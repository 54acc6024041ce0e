"""Redacts views for callers who may not act: text of people and other systems, but no ids."""

from typing import Any

from msgspec.structs import replace

from order_sagas.bridges.http.api.schemas import View
from order_sagas.bridges.redaction import redacted

FREE_TEXT = frozenset(
    {
        *("body", "detail", "error", "example", "found", "headers", "last_error", "note"),
        *("reason", "value", "why"),
    }
)
"""Fields of views that are redacted, with all that is in them."""


def redacted_view(view: Any) -> Any:
    """Return the view, or a list of views, with card numbers and mail addresses replaced."""
    if isinstance(view, View):
        changed = {}
        for name in view.__struct_fields__:
            before = getattr(view, name)
            after = _redacted(before) if name in FREE_TEXT else redacted_view(before)
            if after is not before:
                changed[name] = after
        return replace(view, **changed) if changed else view
    return [redacted_view(each) for each in view] if isinstance(view, (list, tuple)) else view


def _redacted(value: Any) -> Any:
    """Return plain data with every text in it redacted."""
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {name: _redacted(each) for name, each in value.items()}
    return [_redacted(each) for each in value] if isinstance(value, (list, tuple)) else value
