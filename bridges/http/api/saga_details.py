"""Reads one saga with all that belongs to it: definition, waits, kept messages, messages."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa
import structlog

from order_sagas.actors.errors import UnknownSagaError
from order_sagas.actors.sagas.definition import Saga
from order_sagas.actors.sagas.registry import Registry
from order_sagas.actors.sagas.shape import decode_shape
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api.definition_views import (
    DefinitionView,
    definition_view,
    stored_definition_view,
)
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.saga_detail_views import (
    KeptMessage,
    LinkView,
    MessageView,
    SagaDetailView,
)
from order_sagas.bridges.http.api.saga_views import saga_view
from order_sagas.bridges.http.api.saga_waits import Waiting
from order_sagas.bridges.http.api.schemas import moment
from order_sagas.bridges.http.api.snapshot import pause_view
from order_sagas.bridges.operations import pauses_that_last
from order_sagas.bridges.operations.stuck import causes_of
from order_sagas.bridges.storage import queries
from order_sagas.bridges.storage.order_records import OrderRecord, OrderRecords
from order_sagas.bridges.storage.schema import saga_versions

_log = structlog.get_logger(__name__)

RecordsOf = Callable[[str, Collection[str], Sequence[float]], OrderRecords]
LinksOf = Callable[[str, str, str], Mapping[str, str]]


class SagaDetails:
    """Reads in one transaction, apart from the records. Blocks: call it on a thread."""

    def __init__(
        self, reader: ReadModel, registry: Registry, records_of: RecordsOf, links_of: LinksOf
    ) -> None:
        self._reader = reader
        self._registry = registry
        self._records_of = records_of
        self._links_of = links_of

    def detail(self, name: str, *, messages: bool) -> SagaDetailView | None:
        """Return the saga with this id, or the only one of the order with this id, or None."""
        with self._reader.moment() as db:
            found = self._reader.find_saga(db, name)
            if found is None:
                return None
            row, progress = found
            view = saga_view(row, progress, self._registry)
            pauses = {each.name: pause_view(each) for each in pauses_that_last(db)}
            fields: dict[str, Any] = {
                "definition": self._definition(db, progress),
                "kept": _kept(db, progress),
            }
            keys = {progress.order_id}
            if definition := self._registered(progress):
                causes = causes_of(db, row["no"], progress, self._registry)
                fields |= _waiting(db, definition, progress, pauses, causes)
                keys |= fields.pop("keys", set())
        if messages:
            fields |= self._messages(progress, keys)
        traceparent = progress.start.get("traceparent", "") if progress.start else ""
        links = self._links_of(progress.saga_id, progress.order_id, traceparent)
        fields["links"] = [LinkView(name=name, url=url) for name, url in links.items()]
        return SagaDetailView(**_fields(view), **fields)

    def _registered(self, progress: SagaState) -> Saga[Any] | None:
        try:
            return self._registry.get(progress.saga, progress.version)
        except UnknownSagaError:
            return None

    def _definition(self, db: sa.Connection, progress: SagaState) -> DefinitionView | None:
        if saga := self._registered(progress):
            return definition_view(saga, newest=saga is self._registry.newest.get(saga.name))
        query = sa.select(saga_versions.c.shape).where(
            saga_versions.c.saga == progress.saga, saga_versions.c.version == progress.version
        )
        shape = db.execute(query).scalar()
        if shape is None:
            return None
        return stored_definition_view(progress.saga, progress.version, decode_shape(shape))

    def _messages(self, progress: SagaState, keys: Collection[str]) -> dict[str, Any]:
        moments = {progress.started_at, *(entry.at for entry in progress.history)}
        try:
            found = self._records_of(progress.order_id, keys, [*moments])
        except BridgeError as error:
            return {"messages_problem": str(error)}
        causes = {entry.cause for entry in progress.history}
        views = [_message(record) for record in found.records]
        own = [
            view
            for view, saga_id in views
            if saga_id in ("", progress.saga_id) or view.event_id in causes
        ]
        return {"messages": own, "messages_problem": found.problem}


def _fields(view: Any) -> dict[str, Any]:
    return {name: getattr(view, name) for name in view.__struct_fields__}


def _waiting(
    db: sa.Connection,
    definition: Saga[Any],
    progress: SagaState,
    pauses: Mapping[str, Any],
    causes: Mapping[str, str],
) -> dict[str, Any]:
    """The results of the definition's functions; empty if they fail."""
    try:
        waiting = Waiting(db, definition, progress)
        return {
            "waits": waiting.waits(pauses, causes),
            "lock": waiting.lock(),
            "parent": waiting.parent(),
            "children": waiting.children(),
            "keys": waiting.keys(),
        }
    except Exception as error:  # the functions of a definition are an app's code
        _log.warning("saga.details_failed", saga_id=progress.saga_id, error=str(error))
        return {}


def _kept(db: sa.Connection, progress: SagaState) -> list[KeptMessage]:
    early = [{**each, "target": "early"} for each in queries.early_of(db, progress.order_id)]
    kept = sorted([*early, *queries.deferred_of(db, progress.order_id)], key=lambda row: row["at"])
    views = []
    for row in kept:
        body = _decoded(row["value"])
        views.append(
            KeptMessage(
                at=moment(row["at"]) or "",
                topic=row["topic"],
                why=row["target"],
                status=_text(body, "status"),
                body=body,
            )
        )
    return views


def _message(record: OrderRecord) -> tuple[MessageView, str]:
    """The view of a record, and the id of the saga that it names."""
    body = _decoded(record.value.decode(errors="replace"))
    attempt = body.get("attempt") if isinstance(body, dict) else 0
    view = MessageView(
        at=moment(record.at) or "",
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        event_id=_text(body, "eventId") or f"{record.topic}:{record.partition}:{record.offset}",
        causation_id=_text(body, "causationId"),
        status=_text(body, "status"),
        step=_text(body, "step"),
        attempt=attempt if isinstance(attempt, int) else 0,
        body=body,
    )
    return view, _text(body, "sagaId")


def _decoded(value: str) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, RecursionError):
        return value


def _text(body: Any, name: str) -> str:
    found = body.get(name) if isinstance(body, dict) else ""
    return found if isinstance(found, str) else ""
