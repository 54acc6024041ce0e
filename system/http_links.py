"""Links from a saga to its trace and its log lines in other systems, from the settings."""

from collections.abc import Callable, Mapping
from urllib.parse import quote

from order_sagas.system.settings import Settings
from order_sagas.system.telemetry.derived_ids import trace_id_of

VERSION_AND_TRACE = 2
"""Number of the first fields of a `traceparent` that have the version and the trace id."""


def links_of(settings: Settings) -> Callable[[str, str, str], Mapping[str, str]]:
    """Return a function that makes the links of a saga id, an order id and a `traceparent`."""
    templates = {"Trace": settings.http_trace_link, "Logs": settings.http_log_link}

    def links(saga_id: str, order_id: str, traceparent: str) -> dict[str, str]:
        values = {
            "{trace_id}": _trace_id(saga_id, traceparent),
            "{saga_id}": quote(saga_id, safe=""),
            "{order_id}": quote(order_id, safe=""),
        }
        return {name: _filled(each, values) for name, each in templates.items() if each}

    return links


def _filled(template: str, values: Mapping[str, str]) -> str:
    for name, value in values.items():
        template = template.replace(name, value)
    return template


def _trace_id(saga_id: str, traceparent: str) -> str:
    """The trace of the record that started the saga, or else the one derived from the saga id."""
    parts = traceparent.split("-")
    if len(parts) > VERSION_AND_TRACE and len(parts[1]) == 32 and parts[1].isalnum():
        return parts[1]
    return f"{trace_id_of(saga_id):032x}"
