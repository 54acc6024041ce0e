"""An AsyncAPI 3 document of the topics: their messages with schemas, from the definitions."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

import msgspec

from order_sagas.actors.messages import Message, status
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.service import Service
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.records.cloud_events import ATTRIBUTES
from order_sagas.bridges.records.routing import ORCHESTRATOR, Routes
from order_sagas.bridges.records.wire_forms import TYPE_ID

_REF = "#/components/schemas/{name}"

DEAD_LETTER_HEADERS = ("topic", "partition", "offset", "error", "time")
"""Descriptions of the headers `dead-letter-...`."""


def asyncapi(
    registry: Registry,
    services: Iterable[type[Service]],
    *,
    version: str,
    partitions: int,
    as_strings: Collection[str] = (),
    cloud_events: Collection[str] = (),
    servers: Iterable[str] = (),
) -> dict[str, Any]:
    """The document, from the orchestrator's point of view: it receives, and sends.

    `as_strings` are topics to which values are written as JSON strings that hold JSON, and
    `cloud_events` those whose records have the headers of CloudEvents; `servers` are HOST:PORT.
    Messages of services that run elsewhere are in it if a saga or a service that
    `services` names waits for them.
    """
    routes = Routes(registry, services)
    carried = routes.carried()
    kinds = sorted({kind for kinds in carried.values() for kind in kinds}, key=status)
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_REF)
    names = dict(zip(kinds, schemas, strict=True))
    events = {kind for topic in cloud_events for kind in carried.get(topic, ())}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "order-sagas",
            "version": version,
            "description": "Topics of sagas. A record with orderId and status drives a saga; all "
            "other fields are optional.",
        },
        "defaultContentType": "application/json",
        **({"servers": _servers(servers)} if servers else {}),
        "channels": {
            **{
                topic: {
                    "address": topic,
                    "messages": {
                        status(kind): {"$ref": f"#/components/messages/{status(kind)}"}
                        for kind in sorted(of_topic, key=status)
                    },
                    "bindings": {"kafka": {"partitions": partitions}},
                    **_described(
                        _AS_STRINGS if topic in as_strings else "",
                        _CLOUD_EVENTS if topic in cloud_events else "",
                    ),
                }
                for topic, of_topic in sorted(carried.items())
            },
            DEAD_LETTERS: {
                "address": DEAD_LETTERS,
                "description": "Records that could not be handled, whole.",
                "messages": {"deadLetter": {"$ref": "#/components/messages/deadLetter"}},
                "bindings": {"kafka": {"partitions": partitions}},
            },
        },
        "operations": _operations(routes, carried),
        "components": {
            "messages": {
                **{
                    status(kind): _message(kind, names[kind], as_event=kind in events)
                    for kind in kinds
                },
                "deadLetter": _dead_letter(),
            },
            "schemas": components,
        },
    }


_AS_STRINGS = (
    f"Values are written as a JSON string that holds the object, with the header {TYPE_ID}; both "
    "forms are read."
)
_CLOUD_EVENTS = "Records that this system writes have the headers of CloudEvents 1.0, binary mode."


def _described(*sentences: str) -> dict[str, str]:
    text = " ".join(filter(None, sentences))
    return {"description": text} if text else {}


def _servers(servers: Iterable[str]) -> dict[str, Any]:
    return {
        f"broker{number}": {"host": host, "protocol": "kafka"}
        for number, host in enumerate(servers, start=1)
    }


def _message(
    kind: type[Message], schema: Mapping[str, Any], *, as_event: bool = False
) -> dict[str, Any]:
    about = " ".join((kind.__doc__ or "").split())
    attributes = ATTRIBUTES if as_event else {}
    return {
        "name": status(kind),
        "summary": about,
        "payload": schema,
        "headers": {
            "type": "object",
            "properties": {
                "traceparent": {"type": "string", "description": "W3C Trace Context."},
                "tracestate": {"type": "string", "description": "W3C Trace Context."},
                TYPE_ID: {"type": "string", "description": "Of the wire form of spring-kafka."},
                **{
                    name: {"type": "string", "description": told}
                    for name, told in attributes.items()
                },
            },
        },
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": "The order id, or the warehouse; any key "
                        "is read."},
            },
        },
    }  # fmt: skip


def _dead_letter() -> dict[str, Any]:
    told = {f"dead-letter-{name}": {"type": "string"} for name in DEAD_LETTER_HEADERS}
    return {
        "name": "deadLetter",
        "summary": "The record as it was, with headers that say where it was and why it is here.",
        "payload": {},
        "headers": {"type": "object", "properties": told},
    }


def _operations(routes: Routes, carried: Mapping[str, Collection[type[Message]]]) -> dict[str, Any]:
    """For each topic, what the orchestrator takes from it, and what it puts there for services."""
    operations: dict[str, Any] = {}
    for topic, kinds in sorted(carried.items()):
        takes = [
            kind
            for kind in kinds
            if any(route.receiver == ORCHESTRATOR for route in routes.of(topic, kind))
        ]
        sends = [kind for kind in kinds if kind not in takes]
        for action, chosen in (("receive", takes), ("send", sends)):
            if chosen:
                operations[f"{action} {topic}"] = {
                    "action": action,
                    "channel": {"$ref": f"#/channels/{topic}"},
                    "messages": [
                        {"$ref": f"#/channels/{topic}/messages/{status(kind)}"}
                        for kind in sorted(chosen, key=status)
                    ],
                }
    return operations
