"""Approval of operators' commands by a second person, before they are sent."""

from collections.abc import Sequence
from typing import Any

from order_sagas.actors.clock import Clock, SystemClock
from order_sagas.actors.topics import OPERATORS
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.errors import (
    AlreadySoError,
    NoSuchActionError,
    ReasonNeededError,
    SamePersonError,
)
from order_sagas.bridges.operations.sagas import AT_ONCE, Sent
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.operator_action_queries import pending_actions
from order_sagas.bridges.storage.operator_actions import (
    ASKED,
    PENDING,
    REJECTED,
    OperatorActionTable,
)


class Approvals:
    """Approves and rejects actions that wait for it, by their numbers in the log of actions.

    Raises NoSuchActionError, AlreadySoError if an action no longer waits, for example because it
    has expired, and SamePersonError if it was asked for by the same person.
    """

    def __init__(self, database: str, clock: Clock | None = None) -> None:
        self._database = database
        self._clock = clock or SystemClock()

    def approve(self, numbers: Sequence[int], by: str, log: LogWriter) -> Sent:
        """Send the commands of these actions, all or none."""
        rows = self._pending(numbers)
        for row in rows:
            if row["by"] == by:
                raise SamePersonError(
                    f"action {row['no']} was asked for by {by}: another person has to approve it"
                )
        records = [
            log.outgoing(OPERATORS, row["target"].partition("/")[2], bytes(row["command"]))
            for row in rows
        ]
        table = OperatorActionTable(log.db)
        with log.transaction() as cursor:
            for row in rows:
                if not table.decide(cursor, row["no"], ASKED, by, "", None):
                    raise AlreadySoError(f"action {row['no']} waits for no approval any more")
            log.put(cursor, records)
        return Sent(rows[0]["request"] if rows else "", log.running or 0)

    def reject(self, numbers: Sequence[int], by: str, why: str, log: LogWriter) -> None:
        """End the wait of these actions, all or none: nothing is sent. Also by who asked for them.

        Raises ReasonNeededError without a reason.
        """
        if not why.strip():
            raise ReasonNeededError("rejecting an action needs a reason")
        rows = self._pending(numbers)
        table, now = OperatorActionTable(log.db), self._clock.now()
        with log.transaction() as cursor:
            for row in rows:
                if not table.decide(cursor, row["no"], REJECTED, by, why, now):
                    raise AlreadySoError(f"action {row['no']} waits for no approval any more")

    def _pending(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        wanted = [*dict.fromkeys(numbers)][:AT_ONCE]
        with queries.reading(self._database) as db:
            rows = pending_actions(db, wanted)
        missing = {*wanted} - {row["no"] for row in rows}
        if missing:
            raise NoSuchActionError(f"there is no action {min(missing)}")
        for row in rows:
            if row["outcome"] != PENDING:
                raise AlreadySoError(
                    f"action {row['no']} waits for no approval: it is {row['outcome']}"
                )
        return rows
