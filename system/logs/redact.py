"""Redacts card numbers and mail addresses in log lines and spans, whatever the key.

Only the keys in PLAIN are left as they are: ids, which must stay searchable even if they look like
an address or a card number, and names and numbers of the system's own.
"""

from collections.abc import MutableMapping
from typing import Any

from order_sagas.bridges.redaction import redacted

PLAIN = frozenset(
    {
        # ids
        *("order_id", "saga_id", "cause", "event_id", "trace_id", "span_id"),
        # names
        *("event", "timestamp", "level", "saga", "step", "steps", "sent", "undo", "about"),
        *("topic", "worker", "method", "route", "failed_step", "participant", "outcome"),
        # numbers
        *("seq", "version", "saga_version", "took", "attempt", "waited", "retry_in", "count"),
        *("partition", "position", "offset", "shards", "ms"),
    }
)


is_plain = PLAIN.issuperset
"""Whether an event has only keys that are left as they are."""


def redact(event: MutableMapping[str, Any]) -> None:
    """Redact an event in place. The last four digits of a card number are kept."""
    for key, value in event.items():
        if key in PLAIN:
            continue
        if type(value) is str:
            event[key] = redacted(value)
        elif not isinstance(value, (int, float)):
            event[key] = _without(value)


def _without(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_without(each) for each in value]
    if isinstance(value, dict):
        return {key: _without(each) for key, each in value.items()}
    return value
