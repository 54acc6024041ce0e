"""The proxy: accepts connections, and lets a test choose faults from any thread."""

import asyncio
import random
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tests.support.fault_proxy.link import BOTH, Direction, Faults, Link, reset
from tests.support.ports import free_port

T = TypeVar("T")

Server = int | Path
"""A port of 127.0.0.1, or the path of a Unix socket."""


class FaultProxy:
    """Forwards connections of `127.0.0.1:port` to a server.

    The methods that choose a fault return when it holds, and replace the one before it: `heal`,
    then one fault at a time.
    """

    def __init__(
        self, loop: asyncio.AbstractEventLoop, server: Server, port: int, seed: int
    ) -> None:
        self.port = port
        self.server = server
        self.accepted = 0
        """Number of connections so far."""
        self._loop = loop
        self._faults = Faults(rng=random.Random(seed))
        self._links: set[Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._listener: asyncio.Server | None = None

    def slow(self, latency: float = 0.0, jitter: float = 0.0, bandwidth: float = 0.0) -> None:
        """Delay each piece by `latency` and up to `jitter` seconds; `bandwidth` is in bytes/s."""
        self._choose(latency=latency, jitter=jitter, bandwidth=bandwidth)

    def reset(self) -> None:
        """Reset (RST) all connections; new ones are served."""
        self._choose(end_links=True)

    def cut(self) -> None:
        """Reset (RST) all connections, and new ones too."""
        self._choose(cut=True, end_links=True)

    def black_hole(self, *directions: Direction) -> None:
        """Half-open: read and drop all bytes of these directions, by default both; close nothing.

        New connections are accepted. No connection that has lost a byte works again, even after
        `heal`.
        """
        self._choose(dropped=frozenset(directions) or BOTH)

    def hold(self) -> None:
        """Hold all bytes back until `heal`, as if packets were lost for a while."""
        self._choose(flowing=False)

    def heal(self) -> None:
        """End all faults. Connections of which one side is gone are reset (RST)."""
        self._choose(end_one_sided=True)

    def _choose(
        self,
        *,
        latency: float = 0.0,
        jitter: float = 0.0,
        bandwidth: float = 0.0,
        dropped: frozenset[Direction] = frozenset(),
        cut: bool = False,
        flowing: bool = True,
        end_links: bool = False,
        end_one_sided: bool = False,
    ) -> None:
        async def choose() -> None:
            faults = self._faults
            faults.latency, faults.jitter, faults.bandwidth = latency, jitter, bandwidth
            faults.dropped, faults.cut = dropped, cut
            (faults.flowing.set if flowing else faults.flowing.clear)()
            for link in [*self._links]:
                if end_links or (end_one_sided and link.is_one_sided):
                    link.reset()

        self._run(choose())

    def open(self) -> None:
        """Begin to accept connections."""

        async def listen() -> None:
            self._faults.flowing.set()
            self._listener = await asyncio.start_server(self._serve, "127.0.0.1", self.port)

        self._run(listen())

    def close(self) -> None:
        """Reset all connections, and accept none any more."""

        async def end() -> None:
            assert self._listener
            self._listener.close()
            for link in [*self._links]:
                link.reset()
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)

        self._run(end())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        try:
            if self._faults.cut:
                reset(writer)
                return
            try:
                server = await self._connect()
            except OSError:  # the server refuses connections, so the proxy does too
                reset(writer)
                return
            link = Link((reader, writer), server, self._faults)
            self._links.add(link)
            try:
                with suppress(asyncio.CancelledError):  # by `close`; nobody awaits this task
                    await link.run()
            finally:
                self._links.discard(link)
        finally:
            self._tasks.discard(task)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.server, Path):
            return await asyncio.open_unix_connection(str(self.server))
        return await asyncio.open_connection("127.0.0.1", self.server)

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(30)


@contextmanager
def fault_proxies(seed: int = 0) -> Iterator[Callable[..., FaultProxy]]:
    """Return a function that opens a proxy to a server; all share a thread, and are closed here.

    `make(server, port)`: the port of the proxy is a free one by default.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="fault-proxies", daemon=True)
    thread.start()
    made: list[FaultProxy] = []

    def make(server: Server, port: int | None = None) -> FaultProxy:
        proxy = FaultProxy(loop, server, port or free_port(), seed + len(made))
        proxy.open()
        made.append(proxy)
        return proxy

    try:
        yield make
    finally:
        for proxy in made:
            proxy.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
