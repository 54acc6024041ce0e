"""The app's own messages in the OpenAPI description: those that start sagas, and signals."""

from typing import Any

from order_sagas.actors.messages import Message, OrderCreated
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.intake.message_schema import ENVELOPE
from order_sagas.bridges.operations.signals import signals_of
from order_sagas.bridges.records.message_schemas import schema_components

_Json = dict[str, Any]

PREFIX = "message."
"""Of the names of their schemas, which differ so from those of responses."""


def starts_of(registry: Registry) -> list[type[Message]]:
    """Return the messages that start sagas, except orders, whose body has a schema of its own."""
    return [message for message in registry.started_by if message is not OrderCreated]


def all_signals(registry: Registry) -> list[type[Message]]:
    """Return the signals that sagas wait for."""
    return [*{each: None for saga in registry for each in signals_of(saga).values()}]


def schema_of(messages: list[type[Message]], *more: str) -> _Json:
    """Return the schema of a body with one of these messages, or of `more` schemas by name."""
    names = [*(PREFIX + each.__name__ for each in messages), *more]
    refs = [{"$ref": f"#/components/schemas/{name}"} for name in names]
    if not refs:
        return {"type": "object", "maxProperties": 0}
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def signal_schema(message: type[Message]) -> _Json:
    """Return the schema of the body of a signal, which needs no other schemas.

    Without the order id and the status, which the path has.
    """
    found = schema_components([message])
    schema: _Json = found.pop(message.__name__)
    _as_given(schema, {"status", "orderId"})
    for name in ("status", "orderId", "traceparent"):
        schema["properties"].pop(name, None)
    return {**schema, **({"$defs": found} if found else {})}


def _as_given(schema: _Json, not_required: set[str]) -> None:
    """Remove from the schema of a message what the system sets."""
    schema["required"] = [each for each in schema["required"] if each not in not_required]
    schema["properties"] = {
        name: each for name, each in schema["properties"].items() if name not in ENVELOPE
    }
    schema["additionalProperties"] = False


def message_components(registry: Registry) -> _Json:
    """Return the schemas of these messages as they are given: without what the system sets."""
    starts, signals = starts_of(registry), all_signals(registry)
    found = schema_components([*starts, *signals], f"#/components/schemas/{PREFIX}{{name}}")
    for message in (*starts, *signals):
        not_required = {"status", *(("orderId",) if message in signals else ())}
        _as_given(found[message.__name__], not_required)
    return {PREFIX + name: schema for name, schema in found.items()}
