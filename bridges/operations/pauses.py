"""Pausing of services and of the intake, and ending of pauses."""

from collections.abc import Callable, Collection
from functools import partial
from typing import Any

import attrs
import sqlalchemy as sa

from order_sagas.actors.clock import Clock, SystemClock
from order_sagas.actors.sagas.operator_rules import listed
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.action_log import Origin, note_effects
from order_sagas.bridges.operations.errors import (
    AlreadySoError,
    NoSuchTargetError,
    ReasonNeededError,
)
from order_sagas.bridges.storage.deferred import parked, pauses
from order_sagas.bridges.storage.operator_actions import SERVICE


@attrs.frozen
class Paused:
    """An active pause, and the number of messages that are deferred because of it.

    `since` is in seconds since the Unix epoch.
    """

    name: str
    by: str
    why: str
    since: float
    kept: int


class PauseOperations:
    """Stores pauses where all workers read them. Workers on the embedded log are notified at once.

    `services` are the names of everything that can be paused: participants, and `INTAKE`.
    """

    def __init__(
        self,
        log: LogWriter,
        services: Collection[str],
        clock: Clock | None = None,
        origin: Origin | None = None,
    ) -> None:
        self._log = log
        self._origin = origin or Origin()
        self._services = services
        self._clock = clock or SystemClock()

    def pause(self, name: str, by: str, why: str) -> None:
        """Begin a pause; raises AlreadySoError, NoSuchTargetError, ReasonNeededError."""
        self._check(name)
        if not why.strip():
            raise ReasonNeededError("pausing needs a reason")
        mark = self._log.db.placeholder
        now = self._clock.now()
        if not self._store(
            f"INSERT INTO pauses (name, by, why, since) VALUES ({', '.join([mark] * 4)}) "
            "ON CONFLICT DO NOTHING RETURNING id",
            (name, by, why, now),
            partial(self._note, "pause", name, by, why, now),
        ):
            raise AlreadySoError(f"{name} is paused already")

    def unpause(self, name: str, by: str, why: str = "") -> None:
        """End a pause; raises AlreadySoError if there is none, NoSuchTargetError."""
        self._check(name)
        mark = self._log.db.placeholder
        now = self._clock.now()
        if not self._store(
            f"UPDATE pauses SET until = {mark}, ended_by = {mark}, ended_why = {mark} "
            f"WHERE name = {mark} AND until IS NULL RETURNING id",
            (now, by, why, name),
            partial(self._note, "unpause", name, by, why, now),
        ):
            raise AlreadySoError(f"{name} is not paused")

    def _check(self, name: str) -> None:
        if name not in self._services:
            raise NoSuchTargetError(
                f"there is no {name!r} to pause; there are {listed(self._services)}"
            )

    def _store(
        self, sql: str, values: tuple[str | float, ...], note: Callable[[Any], None]
    ) -> bool:
        with self._log.transaction() as cursor:
            answer = self._log.db.beside(cursor)
            answer.execute(sql, values)
            stored = bool(answer.fetchall())
            if stored:
                note(cursor)
            return stored

    def _note(self, action: str, name: str, by: str, why: str, now: float, cursor: Any) -> None:
        note_effects(
            self._log.db,
            cursor,
            self._origin,
            kind=SERVICE,
            targets=[name],
            action=action,
            by=by,
            why=why,
            now=now,
        )


def pauses_that_last(db: sa.Connection) -> list[Paused]:
    """The active pauses, oldest first."""
    kept = (
        sa.select(sa.func.count())
        .where(parked.c.target == pauses.c.name)
        .correlate(pauses)
        .scalar_subquery()
    )
    query = (
        sa.select(pauses.c.name, pauses.c.by, pauses.c.why, pauses.c.since, kept)
        .where(pauses.c.until.is_(None))
        .order_by(pauses.c.id)
    )
    return [Paused(*row) for row in db.execute(query)]
