"""Reads the log of operators' actions: pages of it, and how far a request has come."""

import time
from collections import Counter
from collections.abc import Iterable
from typing import Any

import attrs
import sqlalchemy as sa

from order_sagas.bridges.storage.operator_actions import DONE, EXPIRED, PENDING, REFUSED, SAGA
from order_sagas.bridges.storage.queries import saga_statuses
from order_sagas.bridges.storage.schema import operator_actions as actions

APPROVAL_SECONDS = 24 * 3600.0
"""Seconds within which an action has to be approved."""

Row = dict[str, Any]

_SHOWN = tuple(column for column in actions.c if column.name != "command")


@attrs.frozen
class ActionFilter:
    """Selects actions that meet all conditions; an empty condition matches any."""

    request: str = ""
    target: str = ""
    by: str = ""
    action: str = ""
    outcomes: tuple[str, ...] = ()
    since: float | None = None
    """The time since which it was asked for, in seconds since the Unix epoch; included."""
    until: float | None = None
    """The time before which it was asked for."""


def actions_page(
    db: sa.Connection, which: ActionFilter, limit: int | None, after: int | None = None
) -> list[Row]:
    """Return actions, the newest first, that are older than the one numbered `after`.

    Times are in seconds since the Unix epoch. An action that was not approved in time is `expired`.
    """
    query = sa.select(*_SHOWN).order_by(actions.c.no.desc()).limit(limit)
    for column, wanted in (
        (actions.c.request, which.request), (actions.c.target, which.target),
        (actions.c.by, which.by), (actions.c.action, which.action),
    ):  # fmt: skip
        if wanted:
            query = query.where(column == wanted)
    if which.outcomes:
        query = query.where(_outcome().in_(which.outcomes))
    if which.since is not None:
        query = query.where(actions.c.asked_at >= which.since)
    if which.until is not None:
        query = query.where(actions.c.asked_at < which.until)
    if after is not None:
        query = query.where(actions.c.no < after)
    return [_aged(dict(row)) for row in db.execute(query).mappings()]


@attrs.frozen
class Results:
    """The outcomes of the actions of a request, in numbers of actions."""

    outcomes: Counter[str] = attrs.field(factory=Counter)
    """By outcome; empty if there is no such request."""
    refused: Counter[str] = attrs.field(factory=Counter)
    """Number of refused actions, by reason."""
    sagas: Counter[str] = attrs.field(factory=Counter)
    """Number of actions done on sagas, by the present status of the saga."""


def results(db: sa.Connection, request: str) -> Results:
    """Return the outcomes of the actions of a request."""
    query = sa.select(_outcome(), actions.c.detail, actions.c.kind, actions.c.target)
    found, done = Results(), []
    for outcome, detail, kind, target in db.execute(query.where(actions.c.request == request)):
        found.outcomes[outcome] += 1
        if outcome == REFUSED:
            found.refused[detail] += 1
        elif outcome == DONE and kind == SAGA:
            done.append(target)
    found.sagas.update(saga_statuses(db, done).values())
    return found


def asked_by(db: sa.Connection, request: str) -> str | None:
    """Return who made a request; None if there is no such request."""
    query = sa.select(actions.c.by).where(actions.c.request == request).limit(1)
    found: str | None = db.execute(query).scalar()
    return found


def pending_actions(db: sa.Connection, numbers: Iterable[int]) -> list[Row]:
    """Return these actions whole, each with its `command` while it waits for an approval."""
    query = sa.select(*actions.c).where(actions.c.no.in_([*numbers])).order_by(actions.c.no)
    return [_aged(dict(row)) for row in db.execute(query).mappings()]


def _outcome() -> Any:
    late = sa.and_(
        actions.c.outcome == PENDING, actions.c.asked_at <= time.time() - APPROVAL_SECONDS
    )
    return sa.case((late, EXPIRED), else_=actions.c.outcome)


def _aged(row: Row) -> Row:
    if row["outcome"] == PENDING and row["asked_at"] <= time.time() - APPROVAL_SECONDS:
        row["outcome"] = EXPIRED
    return row
