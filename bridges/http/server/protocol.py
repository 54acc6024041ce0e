"""uvicorn's HTTP/1.1 protocol, with limits on request heads, connections and slow clients."""

import asyncio
from collections.abc import Iterator
from http import HTTPStatus
from math import inf
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from order_sagas.bridges.http.problems import Problem
from order_sagas.bridges.http.server.client_network import network_of

LARGEST_HEAD = 32 * 1024
"""Maximum size in bytes of a request line with its headers, and of the trailers of a body."""
LONGEST_PIPELINE = 8
"""Maximum number of requests that may wait on one connection for the response before theirs."""
SLICE = 16 * 1024
"""Bytes that are parsed before the limits are checked again."""
MOST_CHUNKS = 4096
"""Maximum number of chunks of a body: each costs as much time as many bytes."""
MOST_UNREAD = 64 * 1024 * 1024
"""Bytes of responses that all clients together may leave unread."""


class _PipelineTooLongError(Exception):
    """Raised in a callback to stop the parser."""


class _TooManyChunksError(Exception):
    """Raised in a callback to stop the parser."""


class _HostError(Exception):
    """Raised in a callback to stop the parser."""


class LimitedProtocol(HttpToolsProtocol):
    """Bounds the memory and the time that one connection can take.

    Closed are connections with a request that is too slow or too large, clients that do not read,
    and those that send more than LONGEST_PIPELINE requests ahead, or go on with a body long after
    its request was answered. A refused connection gets a
    problem response first, unless it has got a response already: 503 (too many connections), 408
    (request too late), 431 (head or trailers too large) or 400 (not HTTP).
    """

    most_connections = 1000
    """Open connections above which a new one is refused with 503."""
    most_of_address = 0
    """Open connections of one address above which a new one is refused with 503; 0 for no limit.

    `network_of` defines what counts as one address."""
    head_seconds = 10.0
    """Seconds in which the head of a request must arrive."""
    body_seconds = 11.0
    """Seconds in which the body must arrive, whether or not it is answered before."""
    most_ignored = 256 * 1024
    """Bytes of a body that may arrive after the response, so that the client can read that."""
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
        self._body_timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._head_bytes = 0
        self._in_head = True
        self._trailer_bytes = 0
        """Bytes received since the last byte of a body: chunk sizes, extensions, trailers."""
        self._chunks = 0
        self.network = ""
        """The address of the client."""
        self._ignored_bytes = 0
        """Bytes of a body that were received after the response."""

    def connection_made(self, transport: Any) -> None:
        """Refuse the connection if there are too many, or start the timer for its first head."""
        super().connection_made(transport)
        self.network = network_of(self.client[0]) if self.client else ""
        if len(self.connections) > self.most_connections:
            self._refuse(503, "too many connections", {"Retry-After": "1"})
        elif self.most_of_address and self._of_this_address() > self.most_of_address:
            self._refuse(503, "too many connections of this address", {"Retry-After": "1"})
        else:
            self._wait_for_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancel the timers of the connection."""
        self._stop_waiting()
        self._stop_body_timer()
        super().connection_lost(exc)
        if self._write_timer is not None:
            self._write_timer.cancel()

    def data_received(self, data: bytes) -> None:
        """Parse the data in slices, and check the limits after each."""
        for begin in range(0, len(data), SLICE):
            if self.transport.is_closing():
                return
            self._parse(data[begin : begin + SLICE])

    def _parse(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_timer is None:
                self._wait_for_head()
        else:
            self._trailer_bytes += len(data)
            if self.cycle.response_complete:
                self._ignored_bytes += len(data)
        super().data_received(data)
        if self.transport.is_closing():
            return
        if self._in_head:
            if self._head_bytes > LARGEST_HEAD:
                self._refuse(431, f"a request's head has at most {LARGEST_HEAD:,} bytes")
        elif self._trailer_bytes > LARGEST_HEAD:
            self._refuse(431, f"the trailers of a body have at most {LARGEST_HEAD:,} bytes")
        elif self._ignored_bytes > self.most_ignored:
            self.transport.close()
        elif self._body_timer is None:
            self._body_timer = self.loop.call_later(self.body_seconds, self._body_too_slow)

    def on_message_begin(self) -> None:
        """Note that a request head has begun. Too many unanswered requests end the connection."""
        if len(self.pipeline) >= LONGEST_PIPELINE:
            self.transport.abort()
            raise _PipelineTooLongError
        self._in_head = True
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header of a head. Trailers of a body are dropped."""
        if self._in_head:
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the head timer: the head has arrived in time. It has one Host (RFC 9112, 3.2)."""
        hosts = sum(name == b"host" for name, _ in self.headers)
        parser: Any = self.parser  # None after the connection is lost
        if hosts > 1 or (not hosts and parser.get_http_version() != "1.0"):
            self._refuse(400, f"a request has one Host header, and this one has {hosts or 'none'}")
            raise _HostError
        self._in_head = False
        self._head_bytes = 0
        self._trailer_bytes = 0
        self._chunks = 0
        self._ignored_bytes = 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_chunk_header(self) -> None:
        """Count the chunks of a body. Too many are not read."""
        self._chunks += 1
        if self._chunks > MOST_CHUNKS:
            raise _TooManyChunksError

    def on_body(self, body: bytes) -> None:
        """Count from here the bytes that are not of the body."""
        self._trailer_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect the head of the next request on this connection."""
        self._in_head = True
        self._stop_body_timer()
        super().on_message_complete()

    def pause_writing(self) -> None:
        """Start the write timer: the client's receive buffer is full.

        If all clients have left too much unread, the one that has not read for longest is
        disconnected.
        """
        super().pause_writing()
        if self._write_timer is None:
            self._write_timer = self.loop.call_later(self.write_seconds, self.transport.abort)
        if sum(each.unread() for each in self._all()) > MOST_UNREAD:
            min(self._all(), key=LimitedProtocol.gives_up_at).transport.abort()

    def resume_writing(self) -> None:
        """Cancel the write timer: the client reads again."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def send_400_response(self, msg: str) -> None:
        """Answer data that is not HTTP with a problem, and close the connection."""
        if not self.transport.is_closing():
            self._refuse(400, "this is not an HTTP request")

    def _is_answering(self) -> bool:
        """True if the client expects another response first, or the request has got its own."""
        cycle: Any = self.cycle  # None before the first request, whatever its type says
        if cycle is None:
            return False
        if self._in_head:
            return bool(self.pipeline) or not cycle.response_complete
        return bool(self.pipeline) or bool(cycle.response_started)

    def _of_this_address(self) -> int:
        """Return the number of open connections of this client's address."""
        return sum(1 for each in self._all() if each.network == self.network)

    def _all(self) -> Iterator["LimitedProtocol"]:
        """All open connections of the server."""
        return (each for each in self.connections if isinstance(each, LimitedProtocol))

    def unread(self) -> int:
        """Bytes of responses that the client has not read."""
        return int(self.transport.get_write_buffer_size())

    def gives_up_at(self) -> float:
        """When the client is disconnected if it reads nothing until then, on the loop's clock."""
        return self._write_timer.when() if self._write_timer else inf

    def _wait_for_head(self) -> None:
        self._head_timer = self.loop.call_later(self.head_seconds, self._too_slow)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _stop_body_timer(self) -> None:
        if self._body_timer is not None:
            self._body_timer.cancel()
            self._body_timer = None

    def _body_too_slow(self) -> None:
        self._body_timer = None
        if not self.transport.is_closing():
            self._refuse(408, f"the body did not arrive within {self.body_seconds:g} s")

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
        self._stop_body_timer()
        if self._is_answering():
            self.transport.close()  # a response now would be read as that of another request
            return
        problem = Problem(status, detail, headers={"Connection": "close", **(more or {})})
        response = problem.response()
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in response.raw_headers]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + bytes(response.body))
        self.transport.close()
