"""`/api/v1/events`: one snapshot of the system per second, as server-sent events."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api.endpoint import Content, Endpoint, read_endpoint, reference
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.api.redacted_views import redacted_view
from order_sagas.bridges.http.api.schemas import Snapshot
from order_sagas.bridges.http.server.caller_slots import CallerSlots, SlotStream

PATH = "/api/v1/events"
EVERY = 1.0
"""Seconds between two events."""
MOST = 100
"""Maximum number of clients connected to the stream at the same time."""
MEDIA_TYPE = "text/event-stream"
_STREAM = Content(
    {"type": "string", "contentSchema": reference(Snapshot.__name__)},
    MEDIA_TYPE,
    structs=(Snapshot,),
)


class EventRoutes:
    """Streams one shared snapshot per second to all clients.

    Reads the database only while there are clients. The snapshot is redacted for all clients,
    because some may only read.
    """

    def __init__(self, reader: ReadModel) -> None:
        self._reader = reader
        self._slots = CallerSlots(MOST, "clients listen")
        self._clients = 0
        self._latest = b""
        self._published = asyncio.Condition()
        self._publishing: asyncio.Task[None] | None = None
        self._ending = False

    def endpoints(self) -> list[Endpoint]:
        """Return the endpoints of this class."""
        return [
            read_endpoint(
                PATH,
                self._listen,
                "One snapshot per second, as server-sent events named `snapshot`",
                _STREAM,
            )
        ]

    async def end(self) -> None:
        """End every open stream."""
        self._ending = True
        async with self._published:
            self._published.notify_all()

    async def _listen(self, request: Request) -> Response:
        if request.method == "HEAD":
            return Response(media_type=MEDIA_TYPE)
        slot = self._slots.taken(request.scope["caller"])
        return SlotStream(self._events(), slot, media_type=MEDIA_TYPE)

    async def _events(self) -> AsyncIterator[bytes]:
        self._clients += 1
        try:
            if self._latest and self._publishing and not self._publishing.done():
                yield self._latest
            if self._publishing is None or self._publishing.done():
                self._publishing = asyncio.create_task(self._tell())
            while True:
                async with self._published:
                    await self._published.wait()
                if self._ending:
                    return
                yield self._latest
        finally:
            self._clients -= 1

    async def _tell(self) -> None:
        while self._clients and not self._ending:
            try:
                snapshot = redacted_view(await run_in_threadpool(self._reader.snapshot))
                self._latest = b"event: snapshot\ndata: " + msgspec.json.encode(snapshot) + b"\n\n"
            except BridgeError:
                self._latest = b": the database is away\n\n"
            async with self._published:
                self._published.notify_all()
            await asyncio.sleep(EVERY)
