"""OpenTelemetry's attributes and spans of messaging, for sagas whose records are in Kafka.

https://opentelemetry.io/docs/specs/semconv/messaging/kafka/
"""

from typing import Any

import attrs

from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import Ack
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.records.record import Record

SYSTEM = {"messaging.system": "kafka"}


@attrs.frozen
class Consumed:
    """A record that moved a saga; `name` and `attributes` are those of its span."""

    message: Message
    record: Record
    name: str
    attributes: dict[str, Any]

    @property
    def id(self) -> str:
        """The name of its span, from which the id is derived: another one for a second delivery."""
        place = self.record
        return f"{place.topic}:{place.partition}:{place.offset}/process"


@attrs.frozen
class KafkaMessaging:
    """Describes what is sent to Kafka, and what the consumer group `group` reads from it."""

    group: str

    def sent(self, topic: str, event_id: str) -> dict[str, Any]:
        """Return the attributes of the span of a command.

        Partition and offset are not known, as it is published after the commit.
        """
        return {
            **SYSTEM,
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.destination.name": topic,
            "messaging.message.id": event_id,
        }

    def consumed(self, batch: Batch, handled: Ack) -> Consumed | None:
        """Return the record that a transition of a saga followed from; None for a timer."""
        if not 0 <= handled.ticket < len(batch.tickets):
            return None
        item = batch.tickets[handled.ticket].item
        record = item.record
        if record is None:
            return None  # it was deferred, and is not in this batch
        attributes = {
            **SYSTEM,
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": record.topic,
            "messaging.destination.partition.id": str(record.partition),
            "messaging.kafka.offset": record.offset,
            "messaging.consumer.group.name": self.group,
            "messaging.batch.message_count": batch.records,
            "messaging.message.id": item.message.event_id,
        }
        if record.key is not None:
            attributes["messaging.kafka.message.key"] = record.key.decode(errors="replace")
        return Consumed(item.message, record, f"process {record.topic}", attributes)
