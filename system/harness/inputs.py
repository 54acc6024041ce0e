"""Messages from outside a system under test, as records of the topics that they belong to."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
from msgspec.structs import replace

from order_sagas.actors.messages import (
    MAIN,
    OPERATOR_COMMANDS,
    LoadStock,
    Message,
    OperatorCommand,
    OrderLine,
)
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.services.service import Service
from order_sagas.actors.topics import OPERATORS, SIGNALS
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.records.routing import Routes
from order_sagas.system.harness.record_faults import head_of

_COMMANDS: dict[str, type[OperatorCommand]] = dict(
    zip(("retry", "skip", "resume", "cancel", "repair deadlines"), OPERATOR_COMMANDS, strict=True)
)
_encode = msgspec.json.Encoder().encode


class Inputs:
    """Makes the records that are appended to the log of a system with these sagas and services."""

    def __init__(
        self,
        registry: Registry,
        services: Sequence[type[Service]],
        outgoing: Callable[[str, str, bytes], Outgoing],
    ) -> None:
        """`outgoing` makes a record of a topic, a key and a value."""
        self._registry = registry
        self._outgoing = outgoing
        self._known = Routes(registry, services).topics
        self._topics = _topics_of(registry, services)

    def message(self, message: Message, topic: str = "") -> Outgoing:
        """Return the record of a message, of the topic that its class belongs to if none is named.

        Raises LookupError if its class belongs to no topic.
        """
        kind = type(message)
        if not topic and kind not in self._topics:
            raise LookupError(f"nothing takes {kind.__name__}: name its topic")
        return self._outgoing(topic or self._topics[kind], message.order_id, _encode(message))

    def start(self, start: Message) -> Outgoing:
        """Return the record that starts a saga. Raises LookupError if the message starts none."""
        saga = self._registry.started_by.get(type(start))
        if saga is None:
            known = ", ".join(kind.__name__ for kind in self._registry.started_by)
            raise LookupError(f"{type(start).__name__} starts no saga; these do: {known}")
        return self.message(start, saga.origin.topic)

    def signal(self, message: Message) -> Outgoing:
        """Return the record of a message that a saga waits for (`Wait`)."""
        return self.message(message, SIGNALS)

    def published(
        self, topic: str, value: Message | Mapping[str, Any] | bytes, key: str | None = None
    ) -> Outgoing:
        """Return the record of a message, a JSON object or bytes; its key is the order id.

        Raises LookupError for a topic that the app does not have.
        """
        if topic not in self._known:
            known = ", ".join(self._known)
            raise LookupError(f"there is no topic {topic!r}; there are {known}")
        raw = value if isinstance(value, bytes) else _encode(value)
        return self._outgoing(topic, head_of(raw).order_id if key is None else key, raw)

    def delivery(self, name: str, quantities: Mapping[str, int], warehouse: str = MAIN) -> Outgoing:
        """Return the record that adds stock to a warehouse: the quantity of each SKU."""
        lines = tuple(OrderLine(sku=sku, quantity=count) for sku, count in quantities.items())
        load = LoadStock(order_id=name, lines=lines, warehouse=warehouse)
        return self._outgoing("stock-events", warehouse, _encode(load))

    def command(self, order_id: str, action: str, step: str, why: str, saga: str) -> Outgoing:
        """Return the record of an operator's command: `cancel`, `retry`, `skip` or `resume`."""
        command = _COMMANDS[action](order_id=order_id, by="operator", why=why, saga=saga)
        return self.message(replace(command, step=step) if step else command, OPERATORS)


def _topics_of(registry: Registry, services: Sequence[type[Service]]) -> dict[type[Message], str]:
    """Return the topic of each message that is handled here: commands, replies, starts."""
    found: dict[type[Message], str] = {
        message: service.participant.topic for service in services for message in service.handlers
    }
    for saga in registry:
        for reply, places in saga.answers.items():
            found[reply] = saga.rows[places[0][0]].to.topic
        found.setdefault(saga.starts_on, saga.origin.topic)
    found.update(dict.fromkeys(OPERATOR_COMMANDS, OPERATORS))
    return found
