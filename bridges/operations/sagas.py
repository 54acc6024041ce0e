"""Operators' commands to sagas in flight: retry, skip, resume, cancel."""

from collections.abc import Mapping, Sequence

import attrs
import msgspec
import sqlalchemy as sa

from order_sagas.actors.clock import Clock, SystemClock
from order_sagas.actors.messages import OperatorCommand
from order_sagas.actors.sagas.operator_outcomes import ACTIONS
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState, saga_id_of
from order_sagas.actors.topics import OPERATORS
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.action_log import Origin, event_id
from order_sagas.bridges.operations.approval_limits import needing_approval
from order_sagas.bridges.operations.checks import check, check_reason
from order_sagas.bridges.operations.errors import NoSuchSagaError
from order_sagas.bridges.operations.selection import Choice, SagaFilter, choose
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.operator_actions import (
    ASKED,
    PENDING,
    SAGA,
    ActionRow,
    OperatorActionTable,
)

AT_ONCE = 500
"""Maximum number of commands in one transaction."""


@attrs.frozen
class Sent:
    """What was sent: the id of the request, and how many systems are running.

    `pending` commands were not sent, because they wait for the approval of a second person.
    """

    request: str
    running: int
    pending: int = 0


class SagaOperations:
    """Checks commands against the database, and appends them to the log.

    `command.saga` is the name of the definition; empty means the only saga in flight of the order.
    Raises OperationError if a command is not possible, UnknownSagaError if the saga's definition is
    not registered, StoreError if the database cannot be read.
    """

    def __init__(
        self,
        database: str,
        registry: Registry,
        approval_above: Mapping[str, int] | None = None,
        clock: Clock | None = None,
    ) -> None:
        """Take the database, and the amounts above which a second person has to approve.

        These are in minor units, by currency; without them nothing needs an approval.
        """
        self._database = database
        self._registry = registry
        self._limits = approval_above or {}
        self._clock = clock or SystemClock()

    def ask(self, command: OperatorCommand, log: LogWriter) -> Sent:
        """Check the command and append it to the log."""
        return self.send([self.check(command)], log)

    def check(self, command: OperatorCommand) -> OperatorCommand:
        """Return the command with the name of its saga.

        Raises OperationError if the saga would ignore it.
        """
        check_reason(command)
        with queries.reading(self._database) as db:
            progress = _progress(db, command)
        named = msgspec.structs.replace(command, saga=progress.saga)
        check(named, progress, self._registry.get(progress.saga, progress.version))
        return named

    def choose(self, template: OperatorCommand, which: SagaFilter, now: float) -> Choice:
        """The sagas that match the filter at `now`, and the command for each; nothing is appended.

        `now` is in seconds since the Unix epoch. The commands are copies of `template` with order
        id and saga filled in. A saga whose definition is not registered counts as refused.
        """
        with queries.reading(self._database) as db:
            return choose(db, self._registry, template, which, now)

    def send(
        self, commands: Sequence[OperatorCommand], log: LogWriter, origin: Origin | None = None
    ) -> Sent:
        """Append checked commands, each with an id of its own, and log that they were asked for.

        A command that needs an approval is stored, and appended when it is approved. In
        transactions of `AT_ONCE` commands, so that a running system is not blocked for long. If
        this is interrupted it can be repeated, because a saga ignores a command that it has already
        carried out.
        """
        origin = origin or Origin()
        pending = 0
        for start in range(0, len(commands), AT_ONCE):
            some = commands[start : start + AT_ONCE]
            waiting = needing_approval(log.db, some, self._limits)
            pending += len(waiting)
            now = self._clock.now()
            records, rows = [], []
            for place, command in enumerate(some):
                named = msgspec.structs.replace(command, event_id=event_id(origin))
                held = encoded(named) if place in waiting else None
                rows.append(_row(named, origin, now, held))
                if held is None:
                    records.append(record_of(named, log))
            with log.transaction() as cursor:
                log.put(cursor, records)
                OperatorActionTable(log.db).write(cursor, rows)
        return Sent(origin.request, log.running or 0, pending)


def record_of(command: OperatorCommand, log: LogWriter) -> Outgoing:
    """Return the record of a command that has an event id."""
    return log.outgoing(OPERATORS, command.order_id, encoded(command))


def encoded(command: OperatorCommand) -> bytes:
    """Return a command as JSON."""
    return msgspec.json.encode(command)


def _row(command: OperatorCommand, origin: Origin, now: float, held: bytes | None) -> ActionRow:
    return ActionRow(
        event_id=command.event_id,
        request=origin.request,
        asked_at=now,
        by=command.by,
        via=origin.via,
        action=ACTIONS[type(command)],
        kind=SAGA,
        target=saga_id_of(command.saga, command.order_id),
        step=command.step,
        why=command.why,
        outcome=ASKED if held is None else PENDING,
        command=held,
    )


def _progress(db: sa.Connection, command: OperatorCommand) -> SagaState:
    whole = queries.order(db, command.order_id)
    found: dict[str, SagaState] = {}
    for row, progress in whole["sagas"] if whole else ():
        found[row["saga"]] = progress
    if not command.saga and found:
        return _only_one(command.order_id, found)
    if command.saga not in found:
        if not found:
            raise NoSuchSagaError(f"order {command.order_id} has no saga")
        raise NoSuchSagaError(
            f"order {command.order_id} has no saga {command.saga!r}; it has {listed(found)}"
        )
    return found[command.saga]


def _only_one(order_id: str, found: dict[str, SagaState]) -> SagaState:
    """Return the only saga in flight; if all have ended, the only saga. Raises NoSuchSagaError."""
    in_flight = {name: each for name, each in found.items() if not each.ended} or found
    if len(in_flight) > 1:
        raise NoSuchSagaError(
            f"order {order_id} has several sagas: name one of {listed(in_flight)}"
        )
    (only,) = in_flight.values()
    return only
