"""What every request passes: who asks, how long it took, what is logged of it, what it ends with.

Neither bodies nor headers are logged, and of the path only the route: an id may be an address.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from order_sagas.bridges.http.authentication import STRANGER, Access
from order_sagas.bridges.http.problems import Problem

_log = structlog.get_logger(__name__)

Observe = Callable[[str, str, int, float], None]
"""Told of each request: its method, route, status and seconds."""

HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
OPEN = ("/health/", "/page/")
"""Asked by machines and browsers that have no token, and are never told to wait."""


class Gate:
    """The outermost application."""

    def __init__(self, app: ASGIApp, access: Access, observe: Observe) -> None:
        self._app = app
        self._access = access
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        status = 0

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        scope["caller"] = STRANGER
        try:
            try:
                if scope["path"] != "/" and not scope["path"].startswith(OPEN):
                    scope["caller"] = self._access.identify(scope)
                await self._app(scope, receive, sending)
            except Problem as problem:
                await problem.response()(scope, receive, sending)
        except ClientDisconnect:
            status = status or 499  # as servers have it that log what no client saw
        except Exception:
            _log.exception("http.failed", route=route_of(scope))
            if not status:
                await Problem(500, "").response()(scope, receive, sending)
        finally:
            self._note(scope, status, time.perf_counter() - began)

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        method, route = method_of(scope), route_of(scope)
        self._observe(method, route, status, seconds)
        _log.info(
            "http.request",
            method=method,
            route=route,
            status=status,
            ms=round(seconds * 1000, 1),
            caller=scope["caller"].name,
        )


ROUTE = "order-sagas.route"
"""Where in a request's scope its route is noted, once it is known."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def method_of(scope: Scope) -> str:
    """The method, if it is one of the usual ones: anybody can make up others."""
    return scope["method"] if scope["method"] in METHODS else "other"


def route_of(scope: Any) -> str:
    """The route as it was declared; empty if there is none for the path."""
    return str(scope.get(ROUTE, ""))
