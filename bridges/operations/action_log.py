"""Writes to the log of operators' actions, with the commands or effects that are logged."""

import uuid
from collections.abc import Sequence
from typing import Any

import attrs

from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.operator_actions import (
    DONE,
    ActionRow,
    OperatorActionTable,
)

COMMAND_LINE, API, PAGE = "command line", "api", "page"
"""How an action is asked for."""


def new_request() -> str:
    """Return the id of a new request."""
    return uuid.uuid4().hex


@attrs.frozen
class Origin:
    """How an action was asked for, and the id of the request, which may have many targets."""

    via: str = COMMAND_LINE
    request: str = attrs.field(factory=new_request)


def event_id(origin: Origin) -> str:
    """Return a new id for one action of a request."""
    return f"operator/{origin.request}/{uuid.uuid4().hex}"


def note_effects(
    db: Connection,
    cursor: Any,
    origin: Origin,
    *,
    kind: str,
    targets: Sequence[str],
    action: str,
    by: str,
    why: str,
    now: float,
    step: str = "",
    detail: str = "",
) -> None:
    """Within the transaction of the effects: store that an action was carried out on each target.

    `cursor` is one of `db`; `now` is in seconds since the Unix epoch. The other arguments are
    fields of `ActionRow`.
    """
    rows = [
        ActionRow(
            event_id=event_id(origin),
            request=origin.request,
            asked_at=now,
            by=by,
            via=origin.via,
            action=action,
            kind=kind,
            target=target,
            step=step,
            why=why,
            outcome=DONE,
            detail=detail,
            done_at=now,
        )
        for target in targets
    ]
    OperatorActionTable(db).write(cursor, rows)


def note_effect(db: Connection, kind: str, target: str, **fields: Any) -> None:
    """Store in a transaction of its own that an action was carried out, after its effects.

    For effects outside the database, and for those of many transactions. `fields` are as those of
    `note_effects`, without an origin: such actions are commands.
    """
    with db.transaction() as cursor:
        note_effects(db, cursor, Origin(), kind=kind, targets=[target], **fields)
