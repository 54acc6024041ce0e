"""Writes to the log of operators' actions, with the commands or effects that it tells of."""

import uuid
from collections.abc import Sequence
from typing import Any

import attrs

from order_sagas.bridges.logs.log_writer import LogWriter
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
    log: LogWriter,
    cursor: Any,
    origin: Origin,
    *,
    kind: str,
    targets: Sequence[str],
    action: str,
    by: str,
    why: str,
    now: float,
) -> None:
    """Within the transaction of the effects: store that an action was carried out on each target.

    `now` is in seconds since the Unix epoch.
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
            step="",
            why=why,
            outcome=DONE,
            done_at=now,
        )
        for target in targets
    ]
    OperatorActionTable(log.db).write(cursor, rows, now)
