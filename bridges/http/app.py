"""The HTTP application: all routes, and the mapping of errors to responses."""

from collections.abc import Callable
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api.bulk_actions import BulkActionRoutes
from order_sagas.bridges.http.api.dead_letters import DeadLetterRoutes
from order_sagas.bridges.http.api.definitions import DefinitionRoutes
from order_sagas.bridges.http.api.endpoint import Endpoint, read_endpoint
from order_sagas.bridges.http.api.exports import ExportRoutes
from order_sagas.bridges.http.api.health import HealthRoutes
from order_sagas.bridges.http.api.metrics import MetricRoutes
from order_sagas.bridges.http.api.openapi import OpenApiRoutes
from order_sagas.bridges.http.api.operator_actions import OperatorActionRoutes
from order_sagas.bridges.http.api.orders import OrderRoutes
from order_sagas.bridges.http.api.pending_orders import PendingOrders
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.routing import answer, routes_of
from order_sagas.bridges.http.api.saga_starts import SagaStartRoutes
from order_sagas.bridges.http.api.sagas import SagaRoutes
from order_sagas.bridges.http.api.schemas import CallerView, StockView
from order_sagas.bridges.http.api.server_sent_events import EventRoutes
from order_sagas.bridges.http.api.services import ServiceRoutes
from order_sagas.bridges.http.api.system_state import SystemRoutes
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.dashboard.static_files import page_routes
from order_sagas.bridges.http.problems import Problem, retry_later
from order_sagas.bridges.http.server.authentication import Access
from order_sagas.bridges.http.server.middleware import RequestMiddleware
from order_sagas.bridges.http.server.request_threads import in_thread
from order_sagas.bridges.http.server.tokens import Role

_log = structlog.get_logger(__name__)

AWAY = 5.0
"""Retry-After seconds of 503 responses while the database or Kafka is unavailable."""


class HttpApp:
    """The whole HTTP application; `asgi` is the ASGI application to serve."""

    def __init__(
        self,
        dependencies: Dependencies,
        options: HttpOptions,
        access: Access,
        pending: PendingOrders,
        intake_problem: Callable[[], str],
    ) -> None:
        self._access = access
        self.reader = ReadModel(dependencies.database, dependencies.registry)
        self._orders = OrderRoutes(pending, self.reader, options, dependencies.open_log)
        self._events = EventRoutes(self.reader)
        starts = SagaStartRoutes(dependencies, options)
        actions = OperatorActionRoutes(dependencies, self.reader, options)
        letters = DeadLetterRoutes(dependencies, options)
        metrics = MetricRoutes(dependencies, self.reader, lambda: pending.waiting)
        self.endpoints: list[Endpoint] = [
            *self._orders.endpoints(),
            *BulkActionRoutes(dependencies, self.reader, options).endpoints(),
            *starts.signals(),
            *SagaRoutes(dependencies, self.reader, options).endpoints(),
            *starts.starts(),
            Endpoint(
                "GET",
                "/api/v1/caller",
                Role.OPERATE,
                self._caller,
                "What the caller may do",
                {200: CallerView},
            ),
            read_endpoint(
                "/api/v1/stock", self._stock, "Stock levels: on hand, held, sold", StockView
            ),
            *letters.endpoints(),
            *ServiceRoutes(dependencies, options).endpoints(),
            *SystemRoutes(dependencies, self.reader).endpoints(),
            *DefinitionRoutes(self.reader, dependencies.registry).endpoints(),
            *actions.endpoints(),
            *ExportRoutes(self.reader, actions, letters).endpoints(),
            *self._events.endpoints(),
            *HealthRoutes(dependencies, self.reader, intake_problem).endpoints(),
            *metrics.endpoints(),
        ]
        self.endpoints += OpenApiRoutes(self.endpoints).endpoints()
        app = Starlette(
            routes=[*routes_of(self.endpoints), *page_routes()],
            exception_handlers={
                HTTPException: _as_problem,
                BridgeError: _as_problem,
                Exception: _failed,
            },
        )
        app.router.redirect_slashes = False
        self.asgi: ASGIApp = RequestMiddleware(app, access, metrics.observe)

    async def end(self) -> None:
        """End event streams and requests that wait for the end of an order."""
        await self._orders.end()
        await self._events.end()

    async def _caller(self, request: Request) -> Response:
        caller = request.scope["caller"]
        view = CallerView(
            name=caller.name,
            may_submit=bool(caller.role & Role.SUBMIT),
            may_read=bool(caller.role & Role.READ),
            may_act=bool(caller.role & Role.ACT),
            needs_token=not self._access.is_open,
        )
        return answer(view)

    async def _stock(self, request: Request) -> Response:
        return answer(await in_thread(self.reader.stock))


def _as_problem(request: Request, error: Any) -> Response:
    if isinstance(error, HTTPException):
        detail = {404: "there is nothing here", 405: "this path does not take this method"}
        words = detail.get(error.status_code, "")
        return Problem(error.status_code, words, headers=error.headers).response()
    if not isinstance(error, Problem):
        # The error text may name hosts and files: it is logged, and not sent to clients.
        _log.warning("http.unavailable", error=str(error))
        error = retry_later(503, "the database or the log is away", AWAY)
    response: Response = error.response()
    return response


def _failed(request: Request, error: Exception) -> Response:
    return Problem(500, "").response()  # RequestMiddleware logs the exception
