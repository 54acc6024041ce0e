"""CloudEvents 1.0 in binary mode: headers of records on the topics that the settings name."""

from pathlib import Path

import pytest

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import BUSINESS
from order_sagas.bridges.records.cloud_events import cloud_event, with_cloud_events
from order_sagas.bridges.records.codec import MessageCodec
from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.records.wire_forms import spring_json_string
from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.load import load_settings
from order_sagas.system.wire_forms import wire_forms_of
from tests.support.embedded import an_order
from tests.support.virtual_kafka import DEAD_LETTERS, VirtualKafkaSystem

VALUE = (
    b'{"orderId":"J\xc3\xbcrgen","status":"ORDER_CREATED","eventId":"J/ORDER_CREATED",'
    b'"occurredAt":"2026-01-02T03:04:05Z","lines":[]}'
)
ATTRIBUTES = (
    ("ce_specversion", b"1.0"),
    ("ce_id", b"J/ORDER_CREATED"),
    ("ce_source", b"//shop.example/orders"),
    ("ce_type", b"ORDER_CREATED"),
    ("ce_subject", b"J\xc3\xbcrgen"),
    ("ce_time", b"2026-01-02T03:04:05Z"),
    ("content-type", b"application/json"),
)
wire = MessageCodec(BUSINESS)
write = cloud_event("//shop.example/orders")


def test_a_message_has_its_attributes_in_headers() -> None:
    """Behind those that it has; the value stays as it is."""
    traced = ("traceparent", b"00-1")

    assert (VALUE, (traced, *ATTRIBUTES)) == write(VALUE, (traced,))


def test_a_message_without_a_time_has_no_such_attribute() -> None:
    """It is optional, and an empty one would be malformed."""
    _, headers = write(b'{"orderId":"o-1","status":"PAID","eventId":"e"}', ())

    assert "ce_time" not in dict(headers)
    assert b"e" == dict(headers)["ce_id"]


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        (VALUE, (("ce_specversion", b"1.0"), ("ce_id", b"elsewhere"))),
        (b'{"orderId":"o-1","status":"PAID"}', ()),
        (b"hello", ()),
        (b"\xff", ()),
        (b'{"orderId":1}', ()),
    ],
    ids=["an event already", "no event id", "not JSON", "not UTF-8", "no message"],
)
def test_what_is_an_event_already_or_has_no_id_is_not_changed(
    value: bytes, headers: Headers
) -> None:
    """A replayed record keeps its attributes."""
    assert (value, headers) == write(value, headers)


def test_a_topic_may_have_a_wire_form_too() -> None:
    """The attributes are those of the message inside."""
    forms = {"a": spring_json_string, "b": spring_json_string}
    found = with_cloud_events(forms, ["a", "c"], "//shop.example/orders")
    value, headers = found["a"](VALUE, ())

    assert {"a", "b", "c"} == {*found}
    assert (spring_json_string(VALUE, ())[0]) == value
    assert (*ATTRIBUTES, ("__TypeId__", b"java.lang.String")) == headers
    assert (VALUE, ATTRIBUTES) == found["c"](VALUE, ())


def test_settings_name_topics_and_source() -> None:
    """A topic that there is not, and a source that is no URI, are refused by name."""
    kafka = {"kafka": "k:9092"}
    named, _ = load_settings({**kafka, "cloud_events": "order-events, payment-events"}, {})
    wrong, _ = load_settings({**kafka, "cloud_events": "order-event,dead-letters"}, {})

    assert {"order-events", "payment-events"} == {*wire_forms_of(named)}
    with pytest.raises(DefinitionError, match=r"names dead-letters, order-event;.*order-events"):
        wire_forms_of(wrong)
    for source in ("", "a b"):
        with pytest.raises(SettingError, match=r"cloud_events_source.*URI reference"):
            load_settings({"cloud_events_source": source}, {})


def test_a_worker_writes_events_and_reads_records_with_and_without_attributes(
    tmp_path: Path,
) -> None:
    """On the topics that are named; ids are those of the messages."""
    settings = {"kafka": "localhost:9092", "cloud_events": ("payment-events", "stock-events")}
    with VirtualKafkaSystem(tmp_path, settings=settings) as system:
        system.load({"PEN": 10})
        value = wire.encode(an_order())
        system.broker.append(Outgoing("order-events", 3, None, value, ATTRIBUTES))
        system.run()
        system.advance(5)

        assert "COMPLETED" == system.status("o-1")
        written = [
            *system.broker.of("payment-events"),
            *(r for r in system.broker.of("stock-events") if b"LOAD_STOCK" not in (r.value or b"")),
        ]
        assert len(written) > 3
        for record in written:
            message, headers = wire.decode(record), dict(record.headers)
            assert message.event_id.encode() == headers["ce_id"]
            assert b"order-sagas" == headers["ce_source"]
            assert b"o-1" == headers["ce_subject"]
            assert message.occurred_at.encode() == headers["ce_time"]
        (created, *ours) = system.broker.of("order-events")
        assert ATTRIBUTES == created.headers
        assert {()} == {record.headers for record in ours}


def test_a_dead_letter_keeps_the_attributes_of_its_record(tmp_path: Path) -> None:
    """And gets none of its own."""
    settings = {"kafka": "localhost:9092", "cloud_events": ("payment-events",)}
    with VirtualKafkaSystem(tmp_path, settings=settings) as system:
        system.broker.append(Outgoing("payment-events", 0, None, b"hello", ATTRIBUTES))
        system.run()
        (letter,) = system.broker.of(DEAD_LETTERS)

        assert ATTRIBUTES == letter.headers[: len(ATTRIBUTES)]
        assert "dead-letter-topic" == letter.headers[len(ATTRIBUTES)][0]
