"""`/api/v1/history`, `/workers` and `/audit`: present and past figures of the system."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.durations import quantile
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api import query_params as query
from order_sagas.bridges.http.api.endpoint import Endpoint, Parameter, read_endpoint
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.routing import answer
from order_sagas.bridges.http.api.schemas import moment
from order_sagas.bridges.http.api.system_views import (
    AuditCheck,
    AuditResultView,
    AuditView,
    AuditViolation,
    HistoryView,
    WorkersView,
)
from order_sagas.bridges.http.config import Dependencies
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.storage.audits import AuditResult, last_audit
from order_sagas.bridges.storage.history import COARSE, FINE, Moment, by_moment, read_history

LONGEST_HOURS = 24
"""Maximum `hours` of a history."""
HOURS = Parameter(
    "hours",
    {"type": "integer", "minimum": 1, "maximum": LONGEST_HOURS, "default": 1},
    "How far back: for one hour in intervals of 10 s, for more in intervals of a minute.",
)

T = TypeVar("T")


class SystemRoutes:
    """Endpoints of the system's history, of its workers, and of the last audit."""

    def __init__(self, dependencies: Dependencies, reader: ReadModel) -> None:
        self._dependencies = dependencies
        self._reader = reader

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            read_endpoint(
                "/api/v1/history",
                self._history,
                "Rates, failures, durations and lag of the last hours",
                HistoryView,
                HOURS,
            ),
            read_endpoint(
                "/api/v1/workers",
                self._workers,
                "Workers with their shards and restarts, and the lag",
                WorkersView,
            ),
            read_endpoint(
                "/api/v1/audit", self._audit, "The result of the newest audit", AuditView
            ),
        ]

    async def _history(self, request: Request) -> Response:
        hours = query.whole(request, "hours", 1, LONGEST_HOURS, 1)
        return answer(await in_thread(self.history, hours, time.time()))

    def history(self, hours: int, now: float) -> HistoryView:
        """Return the figures of the hours before `now` (epoch seconds)."""
        resolution = FINE if hours == 1 else COARSE
        with self._reader.moment() as db:
            rows = read_history(db, resolution, now - hours * 3600)
        # The last interval may be under way: its figures would look like a drop.
        over = [each for each in by_moment(rows) if each.at + resolution <= now]
        return _history(over, resolution, hours)

    async def _workers(self, request: Request) -> Response:
        return answer(await in_thread(self._state_of_workers))

    def _state_of_workers(self) -> WorkersView:
        dependencies = self._dependencies
        workers, last_error = dependencies.workers()
        lag = _or_none(dependencies.lag)
        return WorkersView(
            running=_or_none(dependencies.running) or 0,
            workers=list(workers),
            last_error=last_error,
            lag_by_topic=None if lag is None else dict(lag.topics),
            lag_by_role=None if lag is None else dict(lag.roles),
        )

    async def _audit(self, request: Request) -> Response:
        return answer(await in_thread(self._last_audit))

    def _last_audit(self) -> AuditView:
        with self._reader.moment() as db:
            found = last_audit(db)
        return AuditView(audit=_audit(found) if found else None)


def _history(moments: Sequence[Moment], resolution: int, hours: int) -> HistoryView:
    by_time = {each.at: each for each in moments}
    at = [*range(moments[0].at, moments[-1].at + 1, resolution)] if moments else []

    def of(value: Callable[[Moment], Any]) -> list[Any]:
        return [value(by_time[each]) if each in by_time else None for each in at]

    def rate(value: Callable[[Moment], int]) -> list[float | None]:
        return of(lambda each: round(value(each) / resolution, 3))

    def duration(share: float) -> list[float | None]:
        found = of(lambda each: quantile(each.durations, share))
        return [None if each is None else round(each, 6) for each in found]

    return HistoryView(
        resolution=resolution,
        hours=hours,
        at=at,
        started_rate=rate(lambda each: each.started),
        ended_rate=rate(lambda each: each.ended),
        cancelled_share=of(_cancelled_share),
        records_rate=rate(lambda each: each.records),
        dead_letters=of(lambda each: each.dead_letters),
        duration_p50=duration(0.5),
        duration_p95=duration(0.95),
        in_flight=of(lambda each: each.in_flight),
        needs_attention=of(lambda each: each.needs_attention),
        overdue=of(lambda each: each.overdue),
        waiting=of(lambda each: each.waiting),
        workers=of(lambda each: each.workers),
        shards=of(lambda each: each.shards),
    )


def _cancelled_share(moment: Moment) -> float | None:
    return round(moment.cancelled / moment.ended, 4) if moment.ended else None


def _audit(result: AuditResult) -> AuditResultView:
    return AuditResultView(
        at=moment(result.at) or "",
        by=result.by,
        took=round(result.took, 3),
        ok=result.ok,
        in_flight=result.in_flight,
        needing_attention=result.needing_attention,
        records_waiting=result.records_waiting,
        checks=[
            AuditCheck(**{**check, "found": [AuditViolation(**each) for each in check["found"]]})
            for check in result.checks
        ],
    )


def _or_none(read: Callable[[], T]) -> T | None:
    try:
        return read()
    except BridgeError:
        return None
