"""The outermost middleware: identifies the caller, measures and logs requests, adds headers.

Bodies and headers are not logged, and the route is logged in place of the path, because an id in
the path may be personal data such as a mail address.
"""

import time
from collections.abc import Callable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from order_sagas.bridges.http.problems import Problem
from order_sagas.bridges.http.server.authentication import (
    ANONYMOUS,
    Access,
    current_caller,
    unknown_token,
)
from order_sagas.bridges.http.server.request_threads import RequestThreads

_log = structlog.get_logger(__name__)

Observe = Callable[[str, str, int, float], None]
"""Called after each request with its method, route, status and duration in seconds."""

HEADERS = [(b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
OPEN = ("/health/", "/page/")
"""Path prefixes that need no token and are not rate-limited: health checks and page files.

A token is read nevertheless: `/health/ready` shows more to callers who may read.
"""

CHECK_AGAIN = 1.0
"""Seconds after the start of a request from which its token is checked before each send."""


class _RevokedError(Exception):
    """Raised while a response is sent: the caller's token is not accepted any more."""


class RequestMiddleware:
    """The outermost ASGI application. Turns a Problem, and any other exception, into a response."""

    def __init__(self, app: ASGIApp, access: Access, observe: Observe) -> None:
        self._app = app
        self._access = access
        self._threads = RequestThreads()
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one HTTP request; other scopes are ignored."""
        if scope["type"] != "http":
            return
        began = time.perf_counter()
        status = 0
        is_revoked = False

        async def sending(message: Message) -> None:
            nonlocal status, is_revoked
            late = time.perf_counter() - began > CHECK_AGAIN
            if late and not is_revoked and not self._access.is_known(scope["caller"]):
                is_revoked = True
                raise _RevokedError
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        scope["caller"] = ANONYMOUS
        try:
            try:
                is_open = scope["path"] == "/" or scope["path"].startswith(OPEN)
                identify = self._access.identify_if_any if is_open else self._access.identify
                scope["caller"] = identify(scope)
                current_caller.set(scope["caller"])
                self._threads.use_for(scope["caller"])
                await self._app(scope, receive, sending)
            except Problem as problem:
                await problem.response()(scope, receive, sending)
        except _RevokedError:
            if not status:
                await unknown_token().response()(scope, receive, sending)
            # Otherwise the server closes the connection, so the client sees an incomplete response.
        except ClientDisconnect:
            status = status or 499  # nginx's code for "client closed request"
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
"""Key of the ASGI scope under which the matched route is stored."""
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


def method_of(scope: Scope) -> str:
    """Return the method if it is a standard one, else "other", to bound the metric's labels."""
    return scope["method"] if scope["method"] in METHODS else "other"


def route_of(scope: Any) -> str:
    """Return the declared path of the matched route, or "" if none matched."""
    return str(scope.get(ROUTE, ""))
