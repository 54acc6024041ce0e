"""The endpoint table, turned into Starlette routes that check permissions and parameters."""

from collections.abc import Iterable
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from order_sagas.bridges.http.api.endpoint import JSON, Endpoint, Handle
from order_sagas.bridges.http.api.redacted_views import redacted_view
from order_sagas.bridges.http.problems import wrong_parameter
from order_sagas.bridges.http.server.authentication import current_caller, permit
from order_sagas.bridges.http.server.middleware import ROUTE
from order_sagas.bridges.http.server.tokens import Role


def routes_of(endpoints: Iterable[Endpoint]) -> list[Route]:
    """Return one route per path, in table order. The first route that matches handles a request."""
    by_path: dict[str, dict[str, Endpoint]] = {}
    for endpoint in endpoints:
        by_path.setdefault(endpoint.path, {})[endpoint.method] = endpoint
    return [
        Route(path, _dispatch(methods), methods=[*methods]) for path, methods in by_path.items()
    ]


def _dispatch(methods: dict[str, Endpoint]) -> Handle:
    async def dispatch(request: Request) -> Response:
        endpoint = methods["GET" if request.method == "HEAD" else request.method]
        request.scope[ROUTE] = endpoint.documented_path
        permit(request.scope["caller"], endpoint.role)
        if endpoint.path.startswith("/api/"):  # probes and scrapers add parameters of their own
            _check_parameters(request, endpoint.query)
        return await endpoint.handle(request)

    return dispatch


def _check_parameters(request: Request, known: tuple[str, ...]) -> None:
    """Raise Problem 422 for a query parameter that the endpoint does not have."""
    for name in request.query_params:
        if name not in known:
            takes = f"there are {', '.join(known)}" if known else "there are none here"
            raise wrong_parameter(name, f"there is no such parameter; {takes}")


def answer(body: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a response with the struct `body` encoded as JSON, redacted as the caller's role says.

    To be called in the task of the request.
    """
    if not current_caller.get().role & Role.ACT:
        body = redacted_view(body)
    return Response(msgspec.json.encode(body), status, headers, JSON)
