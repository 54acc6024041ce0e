"""Renders a timeline as JSON."""

from datetime import UTC, datetime
from typing import Any

import attrs
import orjson

from order_sagas.system.trace.timeline import Timeline


def render_json(timeline: Timeline) -> bytes:
    """Return all fields of the timeline. `at` and `started` are ISO 8601, other times seconds."""
    return orjson.dumps(attrs.asdict(timeline, value_serializer=_plain), option=orjson.OPT_INDENT_2)


def _plain(instance: Any, field: Any, value: Any) -> Any:
    name = field.name if field is not None else ""
    if name in ("at", "started") and value is not None:
        moment = datetime.fromtimestamp(value, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if name in ("offset", "began", "ended") and value is not None:
        return round(value, 3)
    return value
