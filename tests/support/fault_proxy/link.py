"""One connection through the proxy: two pumps that copy bytes, with the present faults."""

import asyncio
import random
import socket
import struct
from contextlib import suppress
from enum import Enum

import attrs

PIECE = 64 * 1024
"""Maximum number of bytes that are read at once."""
QUEUE = 64
"""Maximum number of pieces that wait in one direction; then nothing more is read."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER of zero seconds: closing the socket sends RST."""


class Direction(Enum):
    """Where bytes of a connection go."""

    TO_SERVER = "to server"
    TO_CLIENT = "to client"


TO_SERVER, TO_CLIENT = Direction
BOTH = frozenset(Direction)


@attrs.define
class Faults:
    """The faults of a proxy. They hold for all its connections, from the next piece on."""

    latency: float = 0.0
    """Seconds by which each piece is delayed."""
    jitter: float = 0.0
    """Maximum number of seconds that are added to the latency at random."""
    bandwidth: float = 0.0
    """Bytes per second in each direction; 0 for no limit."""
    dropped: frozenset[Direction] = frozenset()
    """Directions whose bytes are read and dropped."""
    cut: bool = False
    """True if new connections are reset."""
    flowing: asyncio.Event = attrs.field(factory=asyncio.Event)
    """Set unless pieces are held back."""
    rng: random.Random = attrs.field(factory=random.Random)

    def delay(self, size: int) -> float:
        """Return the seconds that a piece of `size` bytes takes."""
        line = size / self.bandwidth if self.bandwidth else 0.0
        return self.latency + self.rng.uniform(0, self.jitter) + line


class Link:
    """A client's connection and the one to the server that belongs to it.

    A direction that has lost a byte stays dead until the end of the connection, as it is after a
    router has forgotten it: neither bytes nor the end of the connection pass.
    """

    def __init__(
        self,
        client: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        server: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        faults: Faults,
    ) -> None:
        self._faults = faults
        self._writers = (client[1], server[1])
        self._ways = {TO_SERVER: (client[0], server[1]), TO_CLIENT: (server[0], client[1])}
        self._dead: set[Direction] = set()
        self._is_reset = False

    async def run(self) -> None:
        """Copy bytes until both sides are closed, or one whose end passes to the other."""
        pumps = [asyncio.ensure_future(self._pump(direction)) for direction in Direction]
        try:
            for pump in asyncio.as_completed(pumps):
                if await pump:
                    return
        finally:
            for pump in pumps:
                pump.cancel()
            self._close()

    def reset(self) -> None:
        """Send RST to both sides."""
        self._is_reset = True
        for writer in self._writers:
            reset(writer)

    @property
    def is_one_sided(self) -> bool:
        """True if one side has gone, and the other does not know."""
        return bool(self._dead) and any(
            reader.at_eof() or reader.exception() for reader, _ in self._ways.values()
        )

    async def _pump(self, direction: Direction) -> bool:
        """Copy in one direction; return whether the end of it is to be passed on."""
        reader, writer = self._ways[direction]
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(QUEUE)
        sender = asyncio.ensure_future(self._send(pieces, writer, direction))
        now = asyncio.get_running_loop().time
        due = 0.0
        try:
            while piece := await self._read(reader):
                if not self._is_dead(direction):
                    due = max(due, now() + self._faults.delay(len(piece)))
                    await pieces.put((due, piece))
            if not self._is_dead(direction):
                await pieces.join()
            return not self._is_dead(direction)
        finally:
            sender.cancel()

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        with suppress(OSError):
            return await reader.read(PIECE)
        return b""

    async def _send(
        self,
        pieces: asyncio.Queue[tuple[float, bytes]],
        writer: asyncio.StreamWriter,
        direction: Direction,
    ) -> None:
        now = asyncio.get_running_loop().time
        while True:
            due, piece = await pieces.get()
            if (wait := due - now()) > 0:
                await asyncio.sleep(wait)
            await self._faults.flowing.wait()
            if not self._is_dead(direction):
                with suppress(OSError):
                    writer.write(piece)
                    await writer.drain()
            pieces.task_done()

    def _is_dead(self, direction: Direction) -> bool:
        if direction in self._faults.dropped:
            self._dead.add(direction)
        return direction in self._dead

    def _close(self) -> None:
        if not self._is_reset:
            for writer in self._writers:
                writer.close()


def reset(writer: asyncio.StreamWriter) -> None:
    """Close a connection with RST, without sending what waits."""
    with suppress(OSError):  # it may be closed already
        if writer.get_extra_info("socket").family != socket.AF_UNIX:
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    writer.transport.abort()
