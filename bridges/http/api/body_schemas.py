"""Request bodies that are messages: orders, messages that start sagas, and signals."""

import msgspec

from order_sagas.actors.messages import Message, OrderCreated
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.http.api.endpoint import Content, Json, reference
from order_sagas.bridges.intake.message_schema import ENVELOPE
from order_sagas.bridges.intake.order_schema import Id, OrderForm
from order_sagas.bridges.operations.signals import signals_of
from order_sagas.bridges.records.message_schemas import plain_patterns, schema_components

PREFIX = "message."
"""Of the names of the app's own messages, which differ so from those of responses."""


def order_body() -> Content:
    """Return the body of a new order: the fields of an order, or its id alone."""
    by_id = {
        "title": "OrderById",
        "description": "An order with only an id, without amount.",
        "type": "object",
        "properties": {"id": plain_patterns(msgspec.json.schema(Id))},
        "required": ["id"],
        "additionalProperties": False,
    }
    either = {"anyOf": [reference("OrderForm"), reference("OrderById")]}
    components = {**_order_forms(), "OrderById": by_id, "Order": either}
    return Content(reference("Order"), components=components)


def start_body(registry: Registry) -> Content:
    """Return the body that starts a saga: one of the messages that start the registered ones."""
    names = [PREFIX + each.__name__ for each in _starts_of(registry)]
    orders: Json = {}
    if OrderCreated in registry.started_by:
        names.append("OrderForm")
        orders = _order_forms()
    return Content(_one_of(names), components={**orders, **_message_components(registry)})


def signal_body(registry: Registry) -> Content:
    """Return the body of a signal: one of those that the registered sagas wait for."""
    names = [PREFIX + each.__name__ for each in _signals_of(registry)]
    return Content(_one_of(names), components=_message_components(registry))


def _order_forms() -> Json:
    _, raw = msgspec.json.schema_components([OrderForm], ref_template=reference("{name}")["$ref"])
    found: Json = plain_patterns(raw)
    form = found["OrderForm"]
    form["required"] = [name for name in form["required"] if name != "orderId"]
    return found


def _starts_of(registry: Registry) -> list[type[Message]]:
    """Return the messages that start sagas, except orders, whose body has a schema of its own."""
    return [message for message in registry.started_by if message is not OrderCreated]


def _signals_of(registry: Registry) -> list[type[Message]]:
    """Return the signals that sagas wait for."""
    return [*{each: None for saga in registry for each in signals_of(saga).values()}]


def _one_of(names: list[str]) -> Json:
    """Return a schema that refers to one of these; without any, that of an empty object."""
    refs = [reference(name) for name in names]
    if not refs:
        return {"type": "object", "maxProperties": 0}
    return refs[0] if len(refs) == 1 else {"anyOf": refs}


def _message_components(registry: Registry) -> Json:
    """Return the schemas of these messages as they are given: without what the system sets."""
    starts, signals = _starts_of(registry), _signals_of(registry)
    found = schema_components([*starts, *signals], reference(f"{PREFIX}{{name}}")["$ref"])
    for message in (*starts, *signals):
        not_required = {"status", *(("orderId",) if message in signals else ())}
        _as_given(found[message.__name__], not_required)
    return {PREFIX + name: schema for name, schema in found.items()}


def signal_schema(message: type[Message]) -> Json:
    """Return the schema of the body of a signal, which needs no other schemas.

    Without the order id and the status, which the path has.
    """
    found = schema_components([message])
    schema: Json = found.pop(message.__name__)
    _as_given(schema, {"status", "orderId"})
    for name in ("status", "orderId", "traceparent", "tracestate"):
        schema["properties"].pop(name, None)
    return {**schema, **({"$defs": found} if found else {})}


def _as_given(schema: Json, not_required: set[str]) -> None:
    """Remove from the schema of a message what the system sets."""
    schema["required"] = [each for each in schema["required"] if each not in not_required]
    schema["properties"] = {
        name: each for name, each in schema["properties"].items() if name not in ENVELOPE
    }
    schema["additionalProperties"] = False
