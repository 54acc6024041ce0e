"""CloudEvents 1.0 in the binary mode of its Kafka binding: the attributes as headers of a record.

https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md
"""

from collections.abc import Iterable, Mapping

import msgspec

from order_sagas.bridges.records.record import Headers
from order_sagas.bridges.records.wire_forms import WireForm

SPEC_VERSION = "ce_specversion"
ATTRIBUTES: Mapping[str, str] = {
    SPEC_VERSION: "1.0",
    "ce_id": "The eventId of the message.",
    "ce_source": "The setting cloud_events_source.",
    "ce_type": "The status of the message.",
    "ce_subject": "The order id.",
    "ce_time": "The occurredAt of the message, if it has one.",
    "content-type": "application/json",
}
"""The headers that are written, in order, each with a description."""


class _About(msgspec.Struct, rename="camel", frozen=True, gc=False):
    order_id: str
    status: str
    event_id: str
    occurred_at: str = ""


def cloud_event(source: str) -> WireForm:
    """Return the form that adds the attributes to the headers of a record; its value stays plain.

    `source` is a URI reference: with the event id it identifies an event. A record that has
    attributes already, such as a dead letter that is replayed, keeps them. A value without an event
    id gets none.
    """
    decode = msgspec.json.Decoder(_About).decode

    def write(value: bytes, headers: Headers) -> tuple[bytes, Headers]:
        if any(name == SPEC_VERSION for name, _ in headers):
            return value, headers
        try:
            about = decode(value)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return value, headers
        if not about.event_id:
            return value, headers
        given = {
            SPEC_VERSION: "1.0",
            "ce_id": about.event_id,
            "ce_source": source,
            "ce_type": about.status,
            "ce_subject": about.order_id,
            "ce_time": about.occurred_at,
            "content-type": "application/json",
        }
        attributes = tuple((name, text.encode()) for name, text in given.items() if text)
        return value, (*headers, *attributes)

    return write


def with_cloud_events(
    forms: Mapping[str, WireForm], topics: Iterable[str], source: str
) -> dict[str, WireForm]:
    """Return the wire forms, with the attributes of CloudEvents on these topics."""
    attributes = cloud_event(source)
    return {**forms, **{topic: _both(attributes, forms.get(topic)) for topic in topics}}


def _both(first: WireForm, second: WireForm | None) -> WireForm:
    if second is None:
        return first
    last = second
    return lambda value, headers: last(*first(value, headers))
