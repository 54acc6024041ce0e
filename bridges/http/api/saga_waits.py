"""What a saga waits for, and which sagas it belongs to, from its state and its definition."""

from collections.abc import Iterator, Mapping
from typing import Any

import sqlalchemy as sa

from order_sagas.actors.messages import Message, status
from order_sagas.actors.sagas.child_messages import parent_of
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.locks import LOCKS, PREFIX
from order_sagas.actors.sagas.places import end_of_wait, rows_of
from order_sagas.actors.sagas.state import Phase, SagaState, StepState, saga_id_of, typed
from order_sagas.actors.sagas.step import Step
from order_sagas.actors.sagas.transition import Transition
from order_sagas.bridges.http.api.body_schemas import signal_schema
from order_sagas.bridges.http.api.saga_detail_views import (
    LockView,
    SagaLink,
    SignalForm,
    WaitView,
)
from order_sagas.bridges.http.api.schemas import PauseView, moment
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.schema import order_keys, sagas

UNDER_WAY = {
    Phase.SENT: "reply", Phase.BACKOFF: "retry", Phase.STUCK: "person", Phase.ASKED: "reply",
    Phase.UNDO_SENT: "reply", Phase.UNDO_BACKOFF: "retry", Phase.UNDO_STUCK: "person",
}  # fmt: skip
"""What a step waits for in each phase."""
QUEUE = 20
"""Maximum number of sagas in the queue of a lock that are listed."""


class Waiting:
    """A saga of a registered definition, and the connection to look others up on.

    Raises msgspec.ValidationError if its start is no message of the definition.
    """

    def __init__(self, db: sa.Connection, saga: Saga[Any], progress: SagaState) -> None:
        self._db = db
        self._saga = saga
        self._progress = typed(progress, saga)
        self._rows = rows_of(saga, progress.items)

    def waits(self, pauses: Mapping[str, PauseView], causes: Mapping[str, str]) -> list[WaitView]:
        """Return what the saga waits for, in the order of its steps.

        `pauses` are by service, `causes` are those of the steps that are stuck.
        """
        return [
            self._wait(place, row, state, pauses, causes)
            for place, row, state in self._places()
            if state.phase in UNDER_WAY
            # An `Each` waits for its items, which have places of their own.
            and not (row.kind == "each" and self._progress.items)
        ]

    def parent(self) -> SagaLink | None:
        """Return the saga that runs this one and waits for it."""
        parent = parent_of(self._progress.start)
        if parent is None:
            return None
        return _link(self._db, parent.saga_id, parent.order_id, parent.step)

    def children(self) -> list[SagaLink]:
        """Return the sagas that this one has started as steps."""
        begun = (
            self._child(place, row)
            for place, row, state in self._places()
            if row.is_child and state.phase not in (Phase.IDLE, Phase.SKIPPED)
        )
        return [child for child in begun if child]

    def lock(self) -> LockView | None:
        """Return the lock of an exclusive saga that has not ended."""
        place = next((i for i, row in enumerate(self._rows) if row.to is LOCKS and row.done), None)
        if place is None or self._progress.ended:
            return None
        key = self._made(place, self._rows[place]).order_id
        found = queries.lock_claims(self._db, key)
        known = [SagaLink(saga_id=c["saga_id"], order_id=c["order_id"]) for c in found]
        ids = [link.saga_id for link in known]
        own = self._progress.saga_id
        return LockView(
            key=key.removeprefix(PREFIX),
            holder=known[0] if known else None,
            waiting=known[1 : QUEUE + 1],
            waiting_count=max(0, len(known) - 1),
            place=ids.index(own) if own in ids else 0,
        )

    def keys(self) -> set[str]:
        """Return the keys of the records of this saga: some services have keys of their own."""
        keys = {self._progress.order_id}
        for place, row, state in self._places():
            if row.do and not row.is_child and state.phase not in (Phase.IDLE, Phase.SKIPPED):
                keys.add(row.to.keyed_by(self._made(place, row)))
        return keys

    def _places(self) -> Iterator[tuple[int, Step[Any, Any], StepState]]:
        for place, (row, state) in enumerate(zip(self._rows, self._progress.steps, strict=True)):
            yield place, row, state

    def _wait(
        self,
        place: int,
        row: Step[Any, Any],
        state: StepState,
        pauses: Mapping[str, PauseView],
        causes: Mapping[str, str],
    ) -> WaitView:
        kind = UNDER_WAY[Phase(state.phase)]
        undo = Phase(state.phase).name.startswith("UNDO")
        child = self._child(place, row) if row.is_child else None
        if kind == "reply" and not undo:
            kind = _kind(row)
        elif kind == "reply" and row.is_child:
            kind = "child"
        return WaitView(
            step=row.name,
            kind=kind,
            undo=undo,
            service=None if row.kind in ("delay", "wait") or row.is_child else row.to.name,
            since=moment(state.since),
            deadline=moment(end_of_wait(row, state)),
            cause=causes.get(row.name, "") if kind == "person" else "",
            pause=pauses.get(row.to.name),
            child=child,
            signals=[*_signals(row)] if kind == "signal" else [],
        )

    def _child(self, place: int, row: Any) -> SagaLink | None:
        order_id = self._made(place, row).order_id
        return _link(self._db, saga_id_of(row.saga.name, order_id), order_id, row.name)

    def _made(self, place: int, row: Step[Any, Any]) -> Message:
        """The command of a step: its function is pure, so it is the one that was sent."""
        made: Message = Transition(self._saga, self._progress, 0.0, "").made(
            place, row.do or _nothing, row.do_takes
        )
        return made


def _nothing(start: Message) -> Message:
    return start


def _kind(row: Step[Any, Any]) -> str:
    if row.kind == "wait":
        return "signal"
    if row.kind == "delay":
        return "delay"
    if row.is_child:
        return "child"
    return "lock" if row.to is LOCKS else "reply"


def _signals(row: Step[Any, Any]) -> Iterator[SignalForm]:
    for outcome, message in (("done", row.done), ("failed", row.failed)):
        if message:
            yield SignalForm(
                message=status(message), outcome=outcome, schema=signal_schema(message)
            )


def _link(db: sa.Connection, saga_id: str, order_id: str, step: str) -> SagaLink:
    """Return a link to a saga, with its status if it is stored."""
    query = sa.select(sagas.c.status).where(
        sagas.c.no
        == sa.select(order_keys.c.no).where(order_keys.c.order_id == order_id).scalar_subquery(),
        sagas.c.saga == saga_id.partition("/")[0],
    )
    found = db.execute(query).scalar()
    return SagaLink(saga_id=saga_id, order_id=order_id, status=found, step=step)
