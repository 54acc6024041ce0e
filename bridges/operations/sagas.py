"""Operators' commands to sagas in flight: retry, skip, resume, cancel."""

import uuid
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from order_sagas.actors.messages import OperatorCommand
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.state import SagaState
from order_sagas.actors.topics import OPERATORS
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.checks import check, check_reason
from order_sagas.bridges.operations.errors import NoSuchSagaError
from order_sagas.bridges.operations.selection import Choice, SagaFilter, choose
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage import queries

AT_ONCE = 500
"""Maximum number of commands in one transaction."""


class SagaOperations:
    """Checks commands against the database, and appends them to the log.

    `command.saga` is the name of the definition; empty means the only saga in flight of the order.
    Raises OperationError if a command is not possible, UnknownSagaError if the saga's definition is
    not registered, StoreError if the database cannot be read.
    """

    def __init__(self, database: str, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def ask(self, command: OperatorCommand, log: LogWriter) -> int:
        """Check the command and append it to the log; return how many systems are running."""
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

    def send(self, commands: Sequence[OperatorCommand], log: LogWriter) -> int:
        """Append checked commands, each with an id of its own; return how many systems are running.

        In transactions of `AT_ONCE` commands, so that a running system is not blocked for long. If
        this is interrupted it can be repeated, because a saga ignores a command that it has already
        carried out.
        """
        running = 0
        for start in range(0, len(commands), AT_ONCE):
            running = log.append(*[_record(c, log) for c in commands[start : start + AT_ONCE]])
        return running


def _record(command: OperatorCommand, log: LogWriter) -> Outgoing:
    named = msgspec.structs.replace(command, event_id=f"operator/{uuid.uuid4()}")
    return log.outgoing(OPERATORS, command.order_id, msgspec.json.encode(named))


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
