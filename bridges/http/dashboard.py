"""The live page at `/`: plain files, the same for everybody. What they show comes from the API."""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

from order_sagas.bridges.http.middleware import ROUTE

FILES = Path(__file__).parent / "page"
ASSETS = "/page"

# Nothing of another place, nothing inline, and no markup made from text: what is in an order can
# never become a script.
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
    """The files beside the page, which need a policy too: an SVG can be opened by itself."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        return response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope[ROUTE] = ASSETS
        await super().__call__(scope, receive, send)


def page_routes() -> list[BaseRoute]:
    """The page, and the files it loads. Nobody needs a token to see them: they hold no data."""
    return [Route("/", _page), Mount(ASSETS, Assets(directory=FILES))]


async def _page(request: Request) -> Response:
    request.scope[ROUTE] = "/"
    return FileResponse(FILES / "index.html", headers=HEADERS)
