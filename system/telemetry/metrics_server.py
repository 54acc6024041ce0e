"""A small HTTP server for metrics, inside a worker: few threads, short requests, tokens if set."""

import socket
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from socketserver import ThreadingMixIn
from typing import Any

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from order_sagas.system.settings.advice import is_loopback

_log = structlog.get_logger(__name__)

MOST = 16
"""Maximum number of open connections, each with a thread. For another, the oldest is closed."""
SECONDS = 5.0
"""Time limit for each read and write of a connection."""
LOCAL_NAMES = ("localhost", "127.0.0.1", "[::1]")

IsReader = Callable[[str], bool]
"""Whether a bearer token may read metrics."""


class MetricsServer(ThreadingMixIn, HTTPServer):
    """Answers every GET with the metrics of a registry, in the format that the client asks for.

    `is_reader` checks the bearer token of a request; None: no token is needed. Without tokens, on a
    loopback address, only requests to a name of this machine are answered, so that no web page can
    read them under another name; on another address a warning is logged. Raises OSError if the
    address cannot be bound. Port 0 is any free port.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(
        self, host: str, port: int, registry: CollectorRegistry, is_reader: IsReader | None
    ) -> None:
        """Bind the address."""
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.registry = registry
        self.is_reader = is_reader
        self.names = (
            (*LOCAL_NAMES, host.lower()) if is_reader is None and is_loopback(host) else None
        )
        self._open: dict[int, socket.socket] = {}
        self._lock = threading.Lock()
        super().__init__((host, port), _Handler)
        if is_reader is None and not is_loopback(host):
            _log.warning(
                "metrics.open_to_other_machines", address=f"{host}:{self.server_port}",
                advice="set metrics_tokens, or an address of this machine",
            )  # fmt: skip

    def process_request(self, request: Any, client_address: Any) -> None:
        """Handle a connection on a thread of its own; close the oldest if there are too many."""
        with self._lock:
            if len(self._open) >= MOST:
                oldest = self._open.pop(next(iter(self._open)))
                _shut(oldest)
            self._open[id(request)] = request
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Close a connection, and forget it."""
        with self._lock:
            self._open.pop(id(request), None)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnected, or was disconnected."""


class _Handler(BaseHTTPRequestHandler):
    timeout = SECONDS
    server: MetricsServer  # pyright: ignore[reportIncompatibleVariableOverride]
    server_version = "order-sagas"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the metrics: 200, or 401 or 403."""
        names, is_reader = self.server.names, self.server.is_reader
        host = self.headers.get("Host", "localhost")
        name = host if host.endswith("]") else host.rpartition(":")[0] or host
        if names is not None and name.lower() not in names:
            self._answer(403, b"only requests to localhost are served, as no tokens are set\n")
            return
        if is_reader is not None and not is_reader(self._token()):
            challenge = ("WWW-Authenticate", 'Bearer realm="order-sagas"')
            self._answer(401, b"a bearer token of role read is needed\n", challenge)
            return
        encode, content_type = choose_encoder(self.headers.get("Accept", ""))
        self._answer(200, encode(self.server.registry), ("Content-Type", content_type))

    def log_message(self, *_: Any) -> None:
        """Log no requests."""

    def _token(self) -> str:
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    def _answer(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def _shut(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)  # the thread that reads it ends
    except OSError:
        return
