"""The HTTP application: all routes, and the mapping of errors to responses."""

from collections.abc import Callable
from typing import Any

import structlog
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.authentication import Access
from order_sagas.bridges.http.bulk_actions import ManyRoutes
from order_sagas.bridges.http.config import Dependencies, HttpOptions
from order_sagas.bridges.http.dashboard import page_routes
from order_sagas.bridges.http.dead_letters import LetterRoutes
from order_sagas.bridges.http.health import HealthRoutes
from order_sagas.bridges.http.metrics import MetricRoutes
from order_sagas.bridges.http.middleware import Gate
from order_sagas.bridges.http.openapi import OpenApiRoutes
from order_sagas.bridges.http.orders import OrderRoutes
from order_sagas.bridges.http.pending_orders import PendingOrders
from order_sagas.bridges.http.problems import Problem, retry_later
from order_sagas.bridges.http.read_model import Reader
from order_sagas.bridges.http.routing import Endpoint, answer, routes_of
from order_sagas.bridges.http.sagas import SagaRoutes
from order_sagas.bridges.http.server_sent_events import EventRoutes
from order_sagas.bridges.http.services import ServiceRoutes
from order_sagas.bridges.http.tokens import Role

_log = structlog.get_logger(__name__)

AWAY = 5.0
"""Retry-After seconds of 503 responses while the database or Kafka is unavailable."""


class HttpApp:
    """The whole HTTP application; `asgi` is the ASGI application to serve."""

    def __init__(
        self,
        around: Dependencies,
        options: HttpOptions,
        access: Access,
        desk: PendingOrders,
        intake_problem: Callable[[], str],
    ) -> None:
        self.reader = Reader(around.database, around.registry)
        self._orders = OrderRoutes(desk, self.reader, options)
        self._events = EventRoutes(self.reader)
        metrics = MetricRoutes(around, self.reader, lambda: desk.waiting)
        self.endpoints: list[Endpoint] = [
            *self._orders.endpoints(),
            *ManyRoutes(around, options).endpoints(),
            *SagaRoutes(around, self.reader, options).endpoints(),
            Endpoint("GET", "/api/v1/stock", Role.READ, self._stock),
            *LetterRoutes(around, options).endpoints(),
            *ServiceRoutes(around, options).endpoints(),
            *self._events.endpoints(),
            *HealthRoutes(around, self.reader, intake_problem).endpoints(),
            *metrics.endpoints(),
            *OpenApiRoutes().endpoints(),
        ]
        app = Starlette(
            routes=[*routes_of(self.endpoints), *page_routes()],
            exception_handlers={
                HTTPException: _as_problem,
                BridgeError: _as_problem,
                Exception: _failed,
            },
        )
        app.router.redirect_slashes = False
        self.asgi: ASGIApp = Gate(app, access, metrics.observe)

    async def end(self) -> None:
        """End event streams and requests that wait for the end of an order."""
        await self._orders.end()
        await self._events.end()

    async def _stock(self, request: Request) -> Response:
        return answer(await run_in_threadpool(self.reader.stock))


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
    return Problem(500, "").response()  # Gate logs the exception
