"""Signals: the messages from people or other systems that sagas wait for (`Wait`)."""

import uuid
from typing import Any

import msgspec

from order_sagas.actors.clock import SystemClock, iso
from order_sagas.actors.messages import SCHEMA_VERSION, Message, status
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.topics import SIGNALS
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.operations.errors import (
    NoSuchMessageError,
    NoSuchSagaError,
    NotPossibleError,
)
from order_sagas.bridges.operations.sagas import Sent
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.operator_actions import SAGA


def signals_of(saga: Saga[Any]) -> dict[str, type[Message]]:
    """Return the messages that a saga waits for on the topic of signals, by status."""
    return {
        status(message): message
        for message, places in saga.answers.items()
        if any(saga.rows[i].to.topic == SIGNALS for i, _ in places)
    }


class SignalOperations:
    """Checks signals against the database, and appends them to the log.

    Raises StoreError if the database cannot be read.
    """

    def __init__(self, database: str, registry: Registry) -> None:
        self._database = database
        self._registry = registry
        self._clock = SystemClock()

    def message_of(self, saga_id: str, name: str) -> type[Message]:
        """Return the class of the message `name`, a status or a class name, that a saga waits for.

        Raises NoSuchSagaError, NoSuchMessageError if the saga never waits for it, NotPossibleError
        if the saga has ended, and UnknownSagaError if its definition is not registered.
        """
        definition, _, order_id = saga_id.partition("/")
        if definition not in self._registry.newest or not order_id:
            raise NoSuchSagaError(
                f"{saga_id!r} is no id of a saga: it has to be NAME/ORDER_ID, and NAME one of "
                f"{listed(self._registry.newest)}"
            )
        with queries.reading(self._database) as db:
            whole = queries.order(db, order_id)
        for row, progress in whole["sagas"] if whole else ():
            if row["saga"] != definition:
                continue
            known = signals_of(self._registry.get(definition, progress.version))
            for each, message in known.items():
                if name in (each, message.__name__):
                    if progress.ended:
                        raise NotPossibleError(order_id, f"saga {definition!r} has ended")
                    return message
            waits = f"it waits for {listed(known)}" if known else "it waits for no signal"
            raise NoSuchMessageError(f"saga {definition!r} takes no signal {name!r}; {waits}")
        raise NoSuchSagaError(f"order {order_id} has no saga {definition!r}")

    def send(
        self,
        saga_id: str,
        message: Message,
        log: LogWriter,
        by: str,
        why: str = "",
        origin: Origin | None = None,
    ) -> Sent:
        """Append a signal to that saga, and log who sent it."""
        origin, now = origin or Origin(), self._clock.now()
        stamped = msgspec.structs.replace(
            message,
            saga_id=saga_id,
            event_id=f"signal/{uuid.uuid4()}",
            occurred_at=iso(now),
            schema_version=SCHEMA_VERSION,
        )
        record = log.outgoing(SIGNALS, message.order_id, msgspec.json.encode(stamped))
        with log.transaction() as cursor:
            log.put(cursor, [record])
            note_effects(
                log.db, cursor, origin, kind=SAGA, targets=[saga_id], action="signal",
                step=status(message), by=by, why=why, now=now,
            )  # fmt: skip
        return Sent(origin.request, log.running or 0)
