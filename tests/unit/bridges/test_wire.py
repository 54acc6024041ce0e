"""Records that can be decoded, and records that are refused with a reason."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order_sagas.actors.messages import BUSINESS, OrderCreated, OrderLine, PaymentCompleted, status
from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.records.codec import LARGEST, MessageCodec
from order_sagas.bridges.records.record import Record

wire = MessageCodec(BUSINESS)


def record(value: bytes | None) -> Record:
    return Record("payment-events", 3, 17, b"o-1", value)


@pytest.mark.parametrize("message", BUSINESS, ids=status)
def test_a_record_of_two_fields_is_a_message(message) -> None:
    """As other services send it; its event id is made of its position in the log."""
    read = wire.decode(record(json.dumps({"orderId": "o-1", "status": status(message)}).encode()))

    assert message(order_id="o-1", event_id="payment-events:3:17") == read


def test_an_encoded_message_is_decoded_again() -> None:
    """With all fields."""
    lines = (OrderLine(sku="PEN", quantity=2, unit_price=150),)
    order = OrderCreated(order_id="o-1", event_id="e", customer_id="c", lines=lines)

    assert order == wire.decode(record(wire.encode(order)))


def test_fields_that_are_null_or_unknown_count_as_absent() -> None:
    """As libraries of other languages write them."""
    value = b'{"orderId":"o-1","status":"PAYMENT_COMPLETED","amount":null,"colour":["red"]}'

    assert PaymentCompleted(order_id="o-1") == wire.decode_value(value)


LONG = b'{"orderId":"o-1","status":"%s",%s}'
POISON = {
    "an order id that is too long": (
        b'{"orderId":"' + b"o" * 201 + b'","status":"PAYMENT_COMPLETED"}',
        "length <= 200 - at `$.orderId`",
    ),
    "a SKU that is too long": (
        LONG % (b"LOAD_STOCK", b'"lines":[{"sku":"' + b"s" * 201 + b'","quantity":1}]'),
        "length <= 200 - at `$.lines[0].sku`",
    ),
    "a warehouse that is too long": (
        LONG % (b"ROLLBACK_STOCK", b'"warehouse":"' + b"w" * 201 + b'"'),
        "length <= 200 - at `$.warehouse`",
    ),
    "an event id that is too long": (
        LONG % (b"PAYMENT_COMPLETED", b'"eventId":"' + b"e" * 1001 + b'"'),
        "length <= 1000 - at `$.eventId`",
    ),
    "an order id twice": (
        b'{"orderId":"o-1","status":"PAYMENT_COMPLETED","orderId":"o-2"}',
        "the name 'orderId' twice",
    ),
    "an order id twice, once in escapes": (
        b'{"orderId":"o-1","status":"PAYMENT_COMPLETED","order\\u0049d":"o-2"}',
        "the name 'orderId' twice",
    ),
    "a very long status": (
        b'{"orderId":"o-1","status":"' + b"X" * 100_000 + b'"}',
        "...; known: ",
    ),
    "no value": (None, "the record has no value"),
    "empty": (b"", "not JSON"),
    "no JSON": (b"hello", "not JSON"),
    "cut off": (b'{"orderId":"o-1","status":"PAYMENT_COMP', "not JSON"),
    "a list": (b"[1, 2]", "not a JSON object"),
    "a number": (b"7", "not a JSON object"),
    "null": (b"null", "not a JSON object"),
    "no status": (b'{"orderId":"o-1"}', "unknown status None"),
    "unknown status": (b'{"orderId":"o-1","status":"PAID"}', "unknown status 'PAID'"),
    "status of another type": (b'{"orderId":"o-1","status":7}', "unknown status 7"),
    "no order": (b'{"status":"PAYMENT_COMPLETED"}', "orderId"),
    "an order without a name": (b'{"orderId":"","status":"PAYMENT_COMPLETED"}', "orderId is empty"),
    "an order that is null": (b'{"orderId":null,"status":"PAYMENT_COMPLETED"}', "orderId"),
    "an order that is a number": (b'{"orderId":7,"status":"PAYMENT_COMPLETED"}', "orderId"),
    "a field of the wrong type": (
        b'{"orderId":"o-1","status":"PAYMENT_COMPLETED","amount":"much"}',
        "amount",
    ),
    "UTF-16": ('{"orderId":"o-1","status":"PAYMENT_COMPLETED"}'.encode("utf-16"), "not JSON"),
    "Latin-1": ('{"orderId":"ö","status":"PAYMENT_COMPLETED"}'.encode("latin-1"), ""),
    "a byte order mark": (b'\xef\xbb\xbf{"orderId":"o-1"}', "not JSON"),
    "Java serialization": (b"\xac\xed\x00\x05t\x00\x05hello", "not JSON"),
    "huge": (b'{"orderId":"' + b"x" * LARGEST + b'"}', "more than the"),
    "wrong, and no JSON after that": (b'{"orderId":7,', "not JSON"),
    "deep": (b'{"orderId":' + b"[" * 100_000, "nested too deep"),
}


@pytest.mark.parametrize("poison", POISON)
def test_an_unreadable_record_is_refused_with_a_reason(poison) -> None:
    """With UnreadableRecordError, and no other exception."""
    value, reason = POISON[poison]

    with pytest.raises(UnreadableRecordError) as refused:
        wire.decode(record(value))

    assert reason in str(refused.value)


@pytest.mark.parametrize("text", ["orderId", '"orderId"', "order\\u0049d"])
def test_a_text_like_a_name_is_no_name(text) -> None:
    """Only names that an object has twice are refused."""
    value = json.dumps({"orderId": "o-1", "status": "PAYMENT_COMPLETED", "chargeId": text}).encode()

    assert PaymentCompleted(order_id="o-1", charge_id=text) == wire.decode_value(value)


def test_the_known_statuses_are_named_in_the_same_order_by_every_process() -> None:
    """They come from a set of classes, whose order differs between processes."""
    with pytest.raises(UnreadableRecordError) as refused:
        wire.decode(record(b'{"orderId":"o-1","status":"PAID"}'))

    known = str(refused.value).partition("known: ")[2].split(", ")
    assert sorted(known) == known


@given(st.binary(max_size=200))
def test_any_bytes_are_decoded_or_refused(value) -> None:
    """With UnreadableRecordError."""
    with suppress(UnreadableRecordError):
        wire.decode(record(value))


texts = st.text(max_size=8)
simple = st.none() | st.booleans() | st.integers() | st.floats() | texts
json_values = simple | st.lists(simple, max_size=3) | st.dictionaries(texts, simple, max_size=3)
fields = st.sampled_from(["orderId", "status", "lines", "amount", "attempt", "sagaId", "warehouse"])
statuses = st.sampled_from([status(message) for message in BUSINESS])


@given(st.dictionaries(fields, json_values, max_size=5), statuses)
def test_any_object_is_decoded_or_refused(found, name) -> None:
    """With any values of fields, including some that JSON does not allow."""
    for value in (found, {**found, "status": name}):
        with suppress(UnreadableRecordError):
            wire.decode(record(json.dumps(value).encode()))
