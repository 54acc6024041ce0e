"""What an operator asks of sagas in flight: retry, skip, resume, cancel."""

import uuid
from collections.abc import Sequence

import msgspec
import sqlalchemy as sa

from actors.messages import OperatorCommand
from actors.participants import ORDERS
from actors.sagas.progress import Progress
from actors.sagas.registry import Registry
from bridges.operations.checks import check, check_reason, listed
from bridges.operations.errors import NoSuchSagaError
from bridges.record_log import RecordLog
from bridges.store import queries


class SagaOperations:
    """Checks commands against the database, and appends them to the log.

    `command.saga` names the definition. Raises OperationError where a command cannot be done,
    UnknownSagaError where the saga's definition is not registered, StoreError where the database
    cannot be read.
    """

    def __init__(self, database: str, registry: Registry) -> None:
        self._database = database
        self._registry = registry

    def ask(self, command: OperatorCommand, log: RecordLog) -> int:
        """Check the command and send it; answers how many systems are running."""
        self.check(command)
        return self.send([command], log)

    def check(self, command: OperatorCommand) -> None:
        """Raise OperationError unless the saga would do as it is told."""
        check_reason(command)
        with queries.reading(self._database) as db:
            progress = _progress(db, command)
        check(command, progress, self._registry.get(progress.saga, progress.version))

    def send(self, commands: Sequence[OperatorCommand], log: RecordLog) -> int:
        """Append commands that were checked, in one transaction, each with an id of its own.

        Answers how many systems are running.
        """
        records = []
        for command in commands:
            named = msgspec.structs.replace(command, event_id=f"operator/{uuid.uuid4()}")
            value = msgspec.json.encode(named)
            records.append(log.outgoing(ORDERS.topic, command.order_id, value))
        return log.append(*records)


def _progress(db: sa.Connection, command: OperatorCommand) -> Progress:
    whole = queries.order(db, command.order_id)
    found: dict[str, Progress] = {}
    for row, progress in whole["sagas"] if whole else ():
        found[row["saga"]] = progress
    if command.saga not in found:
        known = f"; it has {listed(found)}" if found else ""
        raise NoSuchSagaError(f"order {command.order_id} has no saga {command.saga!r}{known}")
    return found[command.saga]
