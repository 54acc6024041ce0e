"""The history of an order, read from the log files: reader, timeline and renderers."""

from order_sagas.system.trace.as_json import timeline_fields
from order_sagas.system.trace.mermaid import render_mermaid
from order_sagas.system.trace.reading import SearchTimeoutError, read_lines
from order_sagas.system.trace.text import render_text
from order_sagas.system.trace.timeline import SagaTimeline, Timeline, Transition

__all__ = [
    "SagaTimeline",
    "SearchTimeoutError",
    "Timeline",
    "Transition",
    "read_lines",
    "render_mermaid",
    "render_text",
    "timeline_fields",
]
