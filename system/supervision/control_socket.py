"""The control socket: a Unix socket on which a supervisor answers `status` and `stop`.

It is in a directory that only the owner can enter, and has mode 0600. On systems with SO_PEERCRED,
connections of users other than the owner and root are refused. Requests are validated msgspec
messages; anything else closes the connection.
"""

import asyncio
import os
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from order_sagas.system.supervision.channel import HEADER, ChannelError, decode, decoder_of, encode
from order_sagas.system.supervision.messages import (
    AskStatus,
    AskStop,
    ControlRequest,
    Status,
    Stopping,
)
from order_sagas.system.supervision.run_registry import OwnRun, remove_socket, socket_places

LARGEST_REQUEST = 1024
"""Largest accepted request, in bytes; the existing ones have some 20."""
REQUEST_WITHIN = 5.0
"""Seconds in which a client has to send its request and read the answer."""
BACKLOG = 128
"""Length of the queue of connections that are not accepted yet."""
MOST_CLIENTS = 64
"""Maximum number of clients at a time; further connections close the oldest ones."""


def bind_control_socket(run: OwnRun) -> tuple[socket.socket, Path]:
    """Return a listening socket and its path. Raises OSError if no directory is suitable."""
    failure = OSError("there is no directory whose path is short enough for a Unix socket")
    for place in socket_places(run):
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            place.unlink(missing_ok=True)
            listener.bind(str(place))
            place.chmod(0o600)
            listener.listen(BACKLOG)
        except OSError as error:
            listener.close()
            with suppress(OSError):
                remove_socket(place)
            failure = error
        else:
            return listener, place
    raise failure


class ControlSocket:
    """Answers the clients of a listening socket, on a separate thread.

    `status` is called for each `AskStatus`, on a thread, so that it may block; `stop` is called for
    each `AskStop`, on the event loop. A client that sends anything else, or nothing, or does not
    read, is disconnected, and does not delay other clients.

    After `AskStop` a client stays connected until this process ends, so that it notices the end.
    """

    def __init__(
        self, listener: socket.socket, status: Callable[[], Status], stop: Callable[[], None]
    ) -> None:
        self._listener = listener
        self._status = status
        self._stop = stop
        self._requests = decoder_of(ControlRequest)
        self._clients: dict[asyncio.Task[None], None] = {}
        """Clients without an answer, in the order of their connections."""
        self._stopping: list[asyncio.StreamWriter] = []
        self._closed = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="control socket", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Accept no more clients. Clients that sent `AskStop` stay connected."""
        self._loop.call_soon_threadsafe(self._closed.set)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())

    async def _serve(self) -> None:
        server = await asyncio.start_unix_server(
            self._client, sock=self._listener, backlog=BACKLOG, limit=2 * LARGEST_REQUEST
        )
        await self._closed.wait()
        server.close()
        for client in list(self._clients):
            client.cancel()
        await asyncio.gather(*self._clients)

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        if len(self._clients) >= MOST_CLIENTS:
            next(iter(self._clients)).cancel()
        self._clients[task] = None
        try:
            async with asyncio.timeout(REQUEST_WITHIN):
                stays = await self._answer(reader, writer)
        except (OSError, EOFError, TimeoutError, ChannelError, asyncio.CancelledError):
            stays = False
        finally:
            self._clients.pop(task, None)
        if stays:
            self._stopping.append(writer)
        else:
            writer.transport.abort()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request; return True if the client stays connected."""
        if not _may_ask(writer.get_extra_info("socket")):
            return False
        (length,) = HEADER.unpack(await reader.readexactly(HEADER.size))
        if length > LARGEST_REQUEST:
            return False
        match decode(self._requests, await reader.readexactly(length)):
            case AskStatus():
                writer.write(encode(await asyncio.to_thread(self._status)))
                await writer.drain()
                writer.close()
                await writer.wait_closed()
                return False
            case AskStop():
                writer.write(encode(Stopping(os.getpid())))
                await writer.drain()
                self._stop()
                return True
        return False


def _may_ask(client: socket.socket) -> bool:
    """Return True if the peer is this user or root, or if the platform does not report it."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    layout = struct.Struct("3i")
    peer = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, layout.size)
    return layout.unpack(peer)[1] in (0, os.geteuid())
