"""The forms of a record's value: every form is read anywhere, and topics choose what is written."""

import json
from pathlib import Path

import pytest

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import BUSINESS, OrderCreated, OrderLine, PaymentCompleted
from order_sagas.actors.participants import PAYMENTS
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.wire_forms import SPRING_JSON_STRING
from order_sagas.bridges.errors import UnreadableRecordError
from order_sagas.bridges.records.codec import MessageCodec
from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.records.wire_forms import spring_json_string, writers_of
from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.load import load_settings
from tests.support.embedded import an_order
from tests.support.virtual_kafka import DEAD_LETTERS, VirtualKafkaSystem

wire = MessageCodec(BUSINESS)
JAVA_STRING = ("__TypeId__", b"java.lang.String")


def spring(text: str) -> bytes:
    """Return what JsonSerializer makes of a String."""
    return json.dumps(text, ensure_ascii=False).encode()


def test_the_spring_form_of_a_message_is_a_json_string_with_a_type_header() -> None:
    """Byte by byte what the JsonSerializer of spring-kafka writes."""
    plain = b'{"orderId":"J-0","status":"ORDER_CREATED"}'

    value, headers = spring_json_string(plain, (("traceparent", b"00-1"),))

    assert b'"{\\"orderId\\":\\"J-0\\",\\"status\\":\\"ORDER_CREATED\\"}"' == value
    assert (("traceparent", b"00-1"), JAVA_STRING) == headers


@pytest.mark.parametrize(
    ("value", "headers"),
    [(b'{"a":1}', (("__TypeId__", b"shop.OrderEvent"),)), (b"\xff", ())],
    ids=["written for Spring already", "not UTF-8"],
)
def test_what_cannot_be_put_into_a_string_or_is_typed_stays_as_it_is(
    value: bytes, headers: Headers
) -> None:
    """A replayed record keeps its value and its headers."""
    assert (value, headers) == spring_json_string(value, headers)


def test_both_forms_are_read() -> None:
    """With texts of any kind; white space around the object does not matter."""
    order = OrderCreated(
        order_id='o-"1"\\', customer_id="Jürgen 😀", lines=(OrderLine(sku="\u00a0", quantity=1),)
    )
    value, _ = spring_json_string(wire.encode(order), ())

    assert order == wire.decode_value(value)
    assert PaymentCompleted(order_id="o-1") == wire.decode_value(
        spring(' {"orderId": "o-1", "status": "PAYMENT_COMPLETED", "amount": null}\n')
    )


@pytest.mark.parametrize(
    ("text", "error"),
    {
        "hello": "not a JSON object",
        '"{}"': "not a JSON object",
        '{"orderId": "o-1", "status": "PAYMENT': "not JSON",
        '{"orderId": "o-1", "status": "PAID"}': "unknown status 'PAID'",
        '{"orderId": "", "status": "ORDER_CREATED"}': "orderId is empty",
        '{"orderId": "\\u0000", "status": "ORDER_CREATED"}': "NUL",
    }.items(),
)
def test_a_string_that_holds_no_message_is_refused_with_the_reason(text: str, error: str) -> None:
    """The reason is that of the object inside."""
    with pytest.raises(UnreadableRecordError, match=error):
        wire.decode_value(spring(text))


def test_topics_choose_the_form_that_is_written() -> None:
    """As a participant declares, unless the settings say otherwise."""
    cards = Participant("cards", topic="card-events", wire=SPRING_JSON_STRING)
    written = writers_of([cards, PAYMENTS], {"payment-events": SPRING_JSON_STRING})

    assert {"card-events", "payment-events"} == {*written}
    assert {} == writers_of([cards, PAYMENTS], {"card-events": "plain"})


def test_a_form_that_does_not_exist_is_refused() -> None:
    """By the declaration and by the setting, with the forms that do."""
    with pytest.raises(DefinitionError, match=r"'cards'.*'avro'.*plain, spring-json-string"):
        Participant("cards", topic="card-events", wire="avro")
    with pytest.raises(SettingError, match=r"wire_forms.*plain or spring-json-string"):
        load_settings({"wire_forms": "card-events=avro"}, {})


def test_two_participants_of_one_topic_must_agree() -> None:
    """One record of the topic has one form; a setting decides."""
    cards = Participant("cards", topic="payment-events", wire=SPRING_JSON_STRING)

    with pytest.raises(DefinitionError, match=r"share the topic payment-events"):
        writers_of([cards, PAYMENTS], {})

    assert ["payment-events"] == [
        *writers_of([cards, PAYMENTS], {"payment-events": SPRING_JSON_STRING})
    ]


def test_a_setting_names_topics_and_forms(tmp_path: Path) -> None:
    """As a flag, or as a table of the file."""
    file = tmp_path / "order-sagas.toml"
    file.write_text('wire_forms = {"payment-events" = "spring-json-string", b = "plain"}\n')
    by_flag, _ = load_settings({"wire_forms": "payment-events=spring-json-string, b=plain"}, {})
    by_file, _ = load_settings({}, {}, file)

    assert (("payment-events", "spring-json-string"), ("b", "plain")) == by_flag.wire_forms
    assert by_flag.wire_forms == by_file.wire_forms


def test_a_worker_reads_and_writes_the_form_of_services_in_java(tmp_path: Path) -> None:
    """Each of their records, without a key, drives the saga; what it sends has their form."""
    forms = (("payment-events", SPRING_JSON_STRING), ("order-events", SPRING_JSON_STRING))
    settings = {"kafka": "localhost:9092", "wire_forms": forms}
    with VirtualKafkaSystem(tmp_path, settings=settings) as system:
        system.load({"PEN": 10})
        value, headers = spring_json_string(wire.encode(an_order()), ())
        system.broker.append(Outgoing("order-events", 3, None, value, headers))
        system.run()
        system.advance(5)

        assert "COMPLETED" == system.status("o-1")
        for topic in ("order-events", "payment-events"):
            for record in system.broker.of(topic):
                assert (JAVA_STRING,) == record.headers
                assert "o-1" == json.loads(json.loads(record.value or b""))["orderId"]
        assert all(() == record.headers for record in system.broker.of("stock-events"))


def test_a_dead_letter_keeps_the_form_of_its_record(tmp_path: Path) -> None:
    """Value and headers are those of the record, whatever the topic's form is."""
    settings = {
        "kafka": "localhost:9092",
        "wire_forms": (("payment-events", SPRING_JSON_STRING),),
    }
    with VirtualKafkaSystem(tmp_path, settings=settings) as system:
        value = spring('{"orderId": "o-1", "status": "PAID"}')
        system.broker.append(Outgoing("payment-events", 0, None, value, (JAVA_STRING,)))
        system.broker.append(Outgoing("payment-events", 0, None, b"hello", ()))
        system.run()
        first, second = system.broker.of(DEAD_LETTERS)

        assert (value, JAVA_STRING) == (first.value, first.headers[0])
        assert (b"hello", "dead-letter-topic") == (second.value, second.headers[0][0])
