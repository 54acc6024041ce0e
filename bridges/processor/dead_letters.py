"""Writes the dead letters of a batch."""

from collections.abc import Callable

import structlog

from order_sagas.actors.messages import Message, status
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.counts import Counts
from order_sagas.bridges.records.dead_letter import dead_letter
from order_sagas.bridges.records.record import Outgoing, Record

log = structlog.get_logger("processor")


class DeadLetters:
    """Adds dead letters to a batch, for records that cannot be decoded or handled.

    `emit` adds an outgoing record of a shard to a batch.
    """

    def __init__(
        self,
        context: ProcessorContext,
        counts: Counts,
        emit: Callable[[Batch, Outgoing, int], bool],
    ) -> None:
        self._context = context
        self._counts = counts
        self._emit = emit

    def write(
        self,
        batch: Batch,
        record: Record,
        error: str,
        details: str | None = None,
        message: Message | None = None,
    ) -> None:
        """Log the error, and add the record's dead letter to the batch.

        `message` is the decoded record, so that the error is found by its order.
        """
        context = self._context
        self._counts.dead_letters += 1
        batch.dead_letters += 1
        log.error(
            "record.dead_lettered",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=error,
            **(_named(message) if message else {}),
            **({"details": details} if details else {}),
        )
        letter = dead_letter(record, error, context.clock.now(), context.store.partitions)
        self._emit(batch, letter, record.partition)


def _named(message: Message) -> dict[str, str]:
    """Return the log fields that identify a message."""
    fields = {
        "order_id": message.order_id,
        "saga_id": message.saga_id,
        "step": message.step,
        "status": status(message),
    }
    return {name: value for name, value in fields.items() if value}
