"""The log of operators' actions: who asked for what, when and why, and the outcome.

A row is written in the transaction that appends the command, or that has the effect at once. For a
command to a saga, the worker adds the outcome in the transaction of the effect. A command that was
appended to `operator-commands` by other means has no row before: the worker writes all of it.
Actions that send other records (`signal`, `inject`, `stock load`) are done when these are appended:
how a saga handles a record is in its history.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from order_sagas.actors.sagas.effects import OperatorOutcome

if TYPE_CHECKING:
    from order_sagas.bridges.storage.connection import Connection

AT_ONCE = 1000
"""Maximum number of old rows that are deleted in one transaction."""

ASKED, DONE, REFUSED = "asked", "done", "refused"
"""Outcomes: the command was sent and is not handled yet, was carried out, was not carried out."""
PENDING, REJECTED, EXPIRED = "pending", "rejected", "expired"
"""Outcomes of actions that need the approval of a second person: nothing is sent."""
OUTCOMES = (ASKED, DONE, REFUSED, PENDING, REJECTED, EXPIRED)

SAGA, LETTER, SERVICE = "saga", "dead-letter", "service"
DEFINITION, TOPIC, WAREHOUSE, SYSTEM = "definition", "topic", "warehouse", "system"
"""Kinds of targets."""

RECORD = "record"
"""How a command came that was appended to the topic by other means."""


class ActionRow(NamedTuple):
    """An action that was asked for. `asked_at` is in seconds since the Unix epoch."""

    event_id: str
    request: str
    """The same for all targets of one request."""
    asked_at: float
    by: str
    via: str
    """How it was asked for: `page`, `api`, `command line` or `record`."""
    action: str
    kind: str
    target: str
    """The id of a saga, the number of a dead letter, or the name of another target."""
    step: str
    """The step; of a signal and of an injected record, the status of the message."""
    why: str
    outcome: str
    detail: str = ""
    """Why it was not carried out; for an action above the limit, the amount."""
    done_at: float | None = None
    approved_by: str = ""
    command: bytes | None = None
    """The command, while it waits for an approval."""


_COLUMNS = tuple(ActionRow.__annotations__)


class OperatorActionTable:
    """The table, on the connection of a store or of a log."""

    def __init__(self, db: "Connection") -> None:
        self._db = db
        mark = db.placeholder
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        insert = (
            f"INSERT INTO operator_actions ({names}) VALUES ({', '.join([mark] * len(_COLUMNS))})"
        )
        self._insert = insert
        # The first outcome counts: a command that came twice is refused the second time.
        self._settle = (
            f"{insert} ON CONFLICT (event_id) DO UPDATE SET outcome = excluded.outcome, "
            "detail = excluded.detail, done_at = excluded.done_at "
            f"WHERE operator_actions.outcome = '{ASKED}'"
        )
        self._hold = (
            f"{insert} ON CONFLICT (event_id) DO UPDATE SET outcome = excluded.outcome, "
            f"command = excluded.command WHERE operator_actions.outcome = '{ASKED}'"
        )
        self._old = (
            f"SELECT no FROM operator_actions WHERE asked_at < {mark} "
            f"ORDER BY asked_at LIMIT {AT_ONCE}"
        )
        self._forget = f"DELETE FROM operator_actions WHERE no {db.is_in('bigint')}"
        self._decide = (
            f"UPDATE operator_actions SET outcome = {mark}, approved_by = {mark}, "
            f"detail = {mark}, done_at = {mark}, command = NULL "
            f"WHERE no = {mark} AND outcome = '{PENDING}' RETURNING no"
        )

    def write(self, cursor: Any, rows: Sequence[ActionRow]) -> None:
        """Within a transaction: store actions."""
        cursor.executemany(self._insert, [tuple(row) for row in rows])

    def settle(self, cursor: Any, outcomes: Sequence[OperatorOutcome]) -> None:
        """Within a transaction: store the outcomes of commands to sagas."""
        cursor.executemany(self._settle, [tuple(_row_of(outcome)) for outcome in outcomes])

    def hold(self, cursor: Any, rows: Sequence[ActionRow]) -> None:
        """Within a transaction: store that commands wait for an approval, also if asked before."""
        cursor.executemany(self._hold, [tuple(row) for row in rows])

    def prune(self, before: float) -> int:
        """Delete at most AT_ONCE rows of before that moment (epoch seconds); return how many."""
        old = [no for (no,) in self._db.rows(self._old, (before,))]
        if old:
            with self._db.transaction() as cursor:
                cursor.execute(self._forget, (self._db.many(old, int),))
        return len(old)

    def decide(
        self, cursor: Any, no: int, outcome: str, by: str, why: str, done_at: float | None
    ) -> bool:
        """Within a transaction: end the wait for an approval; False if another one has ended it."""
        answer = self._db.beside(cursor)
        answer.execute(self._decide, (outcome, by, why, done_at, no))
        return bool(answer.fetchall())


def request_of(event_id: str) -> str:
    """Return the request in the event id of a command, `operator/REQUEST/ID`; "" if none."""
    parts = event_id.split("/")
    return parts[1] if len(parts) == 3 and parts[0] == "operator" else ""


def _row_of(outcome: OperatorOutcome) -> ActionRow:
    return ActionRow(
        event_id=outcome.event_id,
        request=request_of(outcome.event_id),
        asked_at=outcome.at,
        by=outcome.by,
        via=RECORD,
        action=outcome.action,
        kind=SAGA,
        target=outcome.saga_id,
        step=outcome.step,
        why=outcome.why,
        outcome=REFUSED if outcome.refused else DONE,
        detail=outcome.refused,
        done_at=outcome.at,
    )
