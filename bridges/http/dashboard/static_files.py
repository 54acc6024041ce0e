"""The dashboard at `/`: static files. The page gets its data from the API."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from order_sagas.bridges.http.server.middleware import ROUTE

FILES = Path(__file__).parent / "page"
ASSETS = "/page"

# No other origins, nothing inline, and no markup made from text: the content of an order can never
# run as a script.
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self'",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "trusted-types 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class Assets(StaticFiles):
    """The files of the page. They get the policy too, as an SVG can be opened as a document."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return the file with the security headers."""
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file. All files are one route in logs and metrics."""
        scope[ROUTE] = ASSETS
        await super().__call__(scope, receive, send)


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page and its files. They need no token, as they contain no data."""
    return [Route("/", _page), Mount(ASSETS, Assets(directory=FILES))]


async def _page(request: Request) -> Response:
    request.scope[ROUTE] = "/"
    return FileResponse(FILES / "index.html", headers=HEADERS)
