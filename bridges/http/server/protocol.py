"""uvicorn's HTTP/1.1 protocol, with limits on request heads, connections and slow clients."""

import asyncio
from http import HTTPStatus
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from order_sagas.bridges.http.problems import Problem

LARGEST_HEAD = 32 * 1024
"""Maximum size in bytes of a request line together with its headers."""


class LimitedProtocol(HttpToolsProtocol):
    """Closes connections whose request head is late or too large, and clients that do not read.

    A refused connection gets a problem response first: 503 (too many connections), 408 (head too
    late), 431 (head too large) or 400 (not HTTP).
    """

    most_connections = 1000
    """Open connections above which a new one is refused with 503."""
    head_seconds = 10.0
    """Seconds in which the head of a request must arrive."""
    write_seconds = 30.0
    """Seconds after which a client that reads nothing of its response is disconnected."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._head_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True

    def connection_made(self, transport: Any) -> None:
        """Refuse the connection if there are too many, or start the timer for its first head."""
        super().connection_made(transport)
        if len(self.connections) > self.most_connections:
            self._refuse(503, "too many connections", {"Retry-After": "1"})
            return
        self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers of the connection."""
        self._stop_waiting()
        super().connection_lost(exc)
        if self._write_timer is not None:
            self._write_timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse the data, and count the bytes of a head against LARGEST_HEAD."""
        if self.transport.is_closing():
            return
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._wait_for_head()
        super().data_received(data)
        if self._in_head and self._head_bytes > LARGEST_HEAD and not self.transport.is_closing():
            self._refuse(431, f"a request's head has at most {LARGEST_HEAD:,} bytes")

    def on_message_begin(self) -> None:
        """Note that a request head has begun."""
        self._in_head = True
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """Stop the head timer: the head has arrived in time."""
        self._in_head = False
        self._head_bytes = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """Expect the head of the next request on this connection."""
        self._in_head = True
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the write timer: the client's receive buffer is full."""
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.write_seconds, self.transport.abort)

    def resume_writing(self) -> None:
        """Cancel the write timer: the client reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer data that is not HTTP with a problem, and close the connection."""
        self._refuse(400, "this is not an HTTP request")

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _too_slow(self) -> None:
        self._head_timer = None
        if not self._in_head or self.transport.is_closing():
            return
        if not self._head_bytes:
            self.transport.close()  # idle keep-alive connection: no request to answer
        else:
            self._refuse(408, f"the request did not arrive within {self.head_seconds:g} s")

    def _refuse(self, status: int, detail: str, more: dict[str, str] | None = None) -> None:
        self._stop_waiting()
        problem = Problem(status, detail, headers={"Connection": "close", **(more or {})})
        response = problem.response()
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()
