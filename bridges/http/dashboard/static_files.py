"""The dashboard at `/`: static files. The page gets its data from the API."""

import gzip
from functools import lru_cache
from pathlib import Path

from starlette.datastructures import Headers
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
        """Return the file with the security headers, compressed if the client takes that."""
        response = await super().get_response(path, scope)
        if isinstance(response, FileResponse):
            response.headers["Vary"] = "Accept-Encoding"
            if takes_gzip(scope):
                response = _compressed(response)
        response.headers.update(HEADERS)
        return response

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file. All files are one route in logs and metrics."""
        scope[ROUTE] = ASSETS
        await super().__call__(scope, receive, send)


def takes_gzip(scope: Scope) -> bool:
    """True if the client of a request accepts gzip, without a weight of 0."""
    text = Headers(scope=scope).get("accept-encoding", "")
    parts = (part.replace(" ", "").lower() for part in text.split(","))
    return any(part == "gzip" or (part[:7] == "gzip;q=" and part[7:].strip("0.")) for part in parts)


def _compressed(file: FileResponse) -> Response:
    """The same as the response, compressed. The files hold no secrets, so their length may show."""
    body = _gzipped(str(file.path), Path(file.path).stat().st_mtime_ns)
    headers = {name: value for name, value in file.headers.items() if name != "content-length"}
    headers["content-encoding"] = "gzip"
    headers["etag"] = f'{headers["etag"][:-1]}-gzip"'
    return Response(body, file.status_code, headers)


@lru_cache(maxsize=128)
def _gzipped(path: str, changed: int) -> bytes:
    return gzip.compress(Path(path).read_bytes(), mtime=0)


def page_routes() -> list[BaseRoute]:
    """Return the routes of the page and its files. They need no token, as they contain no data."""
    return [Route("/", _page), Mount(ASSETS, Assets(directory=FILES))]


async def _page(request: Request) -> Response:
    request.scope[ROUTE] = "/"
    return FileResponse(FILES / "index.html", headers=HEADERS)
