"""Holds back operators' commands that need the approval of a second person and have none.

Commands are checked where they are asked for, too. Here they are checked whatever way they came to
the topic, and whatever the settings were of what sent them.
"""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from order_sagas.actors.clock import Clock
from order_sagas.actors.messages import OperatorCommand
from order_sagas.actors.sagas.operator_outcomes import ACTIONS
from order_sagas.actors.sagas.state import saga_id_of
from order_sagas.actors.topics import OPERATORS
from order_sagas.bridges.operations.action_log import Origin, event_id
from order_sagas.bridges.operations.approval_limits import needing_approval
from order_sagas.bridges.processor.batch import Batch, Item
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.operator_actions import ASKED, PENDING, RECORD, SAGA, ActionRow

log = structlog.get_logger("processor")

_COLUMNS = ("event_id", "by", "approved_by", "outcome", "action", "target", "step")


class ApprovalGate:
    """Lets commands through that need no approval, or have one.

    The others wait in the log of operators' actions: the commit of the batch stores them there, and
    an approval sends them again. `limits` are in minor units, by currency.
    """

    def __init__(self, db: Connection, clock: Clock, limits: Mapping[str, int]) -> None:
        self._db = db
        self._clock = clock
        self._limits = limits
        names = ", ".join(f'"{name}"' for name in _COLUMNS)
        self._find = f"SELECT {names} FROM operator_actions WHERE event_id {db.is_in('text')}"

    def pass_on(self, batch: Batch, items: list[Item]) -> list[Item]:
        """Return the items without the commands that are held back.

        Raises StoreUnavailableError.
        """
        commands = [item.message for item in items if item.topic == OPERATORS]
        asked = [each for each in commands if isinstance(each, OperatorCommand)]
        if not asked:
            return items
        places = needing_approval(self._db, asked, self._limits)
        if not places:
            return items
        known = self._known([asked[place].event_id for place in places])
        held = set()
        for place in sorted(places):
            command = asked[place]
            row = known.get(command.event_id)
            if row is None or not _is_approved(row, command):
                held.add(id(command))
                self._hold(batch, command, row)
                known.setdefault(command.event_id, _waiting(command))
        return [item for item in items if id(item.message) not in held]

    def _known(self, event_ids: list[str]) -> dict[str, dict[str, Any]]:
        rows = self._db.rows(self._find, (self._db.many(event_ids, str),))
        return {row[0]: dict(zip(_COLUMNS, row, strict=True)) for row in rows}

    def _hold(self, batch: Batch, command: OperatorCommand, row: dict[str, Any] | None) -> None:
        """Store that the command waits, under an id of its own if its id is that of another."""
        known = row is not None and _is_of(row, command)
        if row and known and row["outcome"] == PENDING:
            return  # it waits already
        origin, now = Origin(RECORD), self._clock.now()
        was_asked = row and known and row["outcome"] == ASKED and not row["approved_by"]
        if not command.event_id or (row and not was_asked):
            command = msgspec.structs.replace(command, event_id=event_id(origin))
        batch.held.append(
            ActionRow(
                event_id=command.event_id,
                request=origin.request,
                asked_at=now,
                by=command.by,
                via=RECORD,
                action=ACTIONS[type(command)],
                kind=SAGA,
                target=saga_id_of(command.saga, command.order_id),
                step=command.step,
                why=command.why,
                outcome=PENDING,
                command=msgspec.json.encode(command),
            )
        )
        log.warning(
            "operator.approval_needed",
            order_id=command.order_id,
            action=ACTIONS[type(command)],
            by=command.by,
        )


def _is_approved(row: Mapping[str, Any], command: OperatorCommand) -> bool:
    """Whether this very command was approved by a second person, and was not handled yet."""
    approved = row["outcome"] == ASKED and row["approved_by"] not in ("", row["by"])
    return approved and _is_of(row, command)


def _is_of(row: Mapping[str, Any], command: OperatorCommand) -> bool:
    """Whether a row is about this command, and not about another one with the same id."""
    about = _waiting(command)
    return all(row[name] == about[name] for name in ("by", "action", "target", "step"))


def _waiting(command: OperatorCommand) -> dict[str, Any]:
    """Return the columns of a command that waits for approval."""
    return {
        "by": command.by,
        "approved_by": "",
        "outcome": PENDING,
        "action": ACTIONS[type(command)],
        "target": saga_id_of(command.saga, command.order_id),
        "step": command.step,
    }
