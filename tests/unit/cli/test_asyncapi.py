"""The AsyncAPI document is complete, and agrees with the records read and written."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner
from jsonschema_rs import Draft202012Validator

from order_sagas.actors.messages import BUSINESS, OPERATOR_COMMANDS, status
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.system.cli.main import main
from order_sagas.system.order_app import APP
from tests.support.embedded import an_order


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    """The document that the command prints."""
    arguments = ["topics", "asyncapi", "--kafka", "a:9092,b:9092", "--partitions", "3"]
    forms = ["--wire-forms", "payment-events=spring-json-string", "--cloud-events", "stock-events"]
    done = CliRunner().invoke(main, [*arguments, *forms], catch_exceptions=False)
    assert 0 == done.exit_code
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def references(node: Any) -> Iterator[str]:
    """Every reference in a document."""
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for each in node.values():
            yield from references(each)
    elif isinstance(node, list):
        for each in node:
            yield from references(each)


def at(document: Any, reference: str) -> Any:
    """The target of a reference within the document."""
    assert reference.startswith("#/")
    for part in reference[2:].split("/"):
        document = document[part]
    return document


def test_every_topic_and_every_message_is_in_it(document) -> None:
    """With the number of partitions, and the brokers that the settings name."""
    assert "3.0.0" == document["asyncapi"]
    assert {*APP.topics} == {*document["channels"]}
    assert {3} == {
        channel["bindings"]["kafka"]["partitions"] for channel in document["channels"].values()
    }
    assert {status(kind) for kind in (*BUSINESS, *OPERATOR_COMMANDS)} | {"deadLetter"} == {
        *document["components"]["messages"]
    }
    events = document["channels"]["stock-events"]["description"]
    assert "CloudEvents" in events
    headers = document["components"]["messages"]["RESERVE_STOCK"]["headers"]["properties"]
    assert {"ce_id", "ce_type", "ce_source", "ce_specversion"} < {*headers}
    assert ["a:9092", "b:9092"] == [server["host"] for server in document["servers"].values()]
    assert "__TypeId__" in document["channels"]["payment-events"]["description"]
    assert "description" not in document["channels"]["order-events"]


def test_every_reference_has_a_target(document) -> None:
    """Operations refer to messages of their own channel."""
    found = {*references(document)}
    assert found
    for reference in found:
        assert at(document, reference)
    for operation in document["operations"].values():
        channel = operation["channel"]["$ref"]
        assert all(each["$ref"].startswith(f"{channel}/") for each in operation["messages"])


def test_it_has_what_the_orchestrator_receives_and_sends(document) -> None:
    """Commands are sent, replies are received."""
    said = {
        name: {each["$ref"].rpartition("/")[2] for each in operation["messages"]}
        for name, operation in document["operations"].items()
    }

    assert {"PROCESS_PAYMENT", "ROLLBACK_PAYMENT"} == said["send payment-events"]
    assert "PAYMENT_FAILED" in said["receive payment-events"]
    assert "receive notification-events" not in said
    assert {status(kind) for kind in OPERATOR_COMMANDS} == said["receive operator-commands"]
    assert f"send {DEAD_LETTERS}" not in said


@pytest.mark.parametrize(
    ("fields", "valid"),
    [
        ({"orderId": "A-1", "status": "ORDER_CREATED"}, True),
        ({"orderId": "A-1", "status": "ORDER_CREATED", "colour": "red"}, True),
        ({"status": "ORDER_CREATED"}, False),
        ({"orderId": 7, "status": "ORDER_CREATED"}, False),
        ({"orderId": "A-1", "status": "PAYMENT_FAILED"}, False),
    ],
)
def test_the_schema_of_a_message_accepts_what_is_read(document, fields, valid) -> None:
    """Two fields are enough, unknown ones are ignored."""
    schema = {**at(document, "#/components/messages/ORDER_CREATED")["payload"], **document}

    assert valid == Draft202012Validator(schema).is_valid(fields)


def test_the_schema_accepts_what_is_written(document) -> None:
    """A whole order."""
    schema = {**at(document, "#/components/messages/ORDER_CREATED")["payload"], **document}
    fields = json.loads(msgspec.json.encode(an_order()))

    Draft202012Validator(schema).validate(fields)
