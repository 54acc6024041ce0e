"""Waits for the end of orders, with one shared database query for all waiting requests."""

import asyncio
from collections import Counter

from starlette.concurrency import run_in_threadpool

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api.read_model import ReadModel

SHORTEST, LONGEST = 0.05, 0.5
"""Seconds between two queries. The interval starts short, as most orders end quickly, and grows."""
AT_ONCE = 500
"""Maximum number of orders in one query."""


class CompletionWaiter:
    """Polls the database for the end of orders while requests wait for them."""

    def __init__(self, reader: ReadModel) -> None:
        self._reader = reader
        self._wanted: Counter[str] = Counter()
        self._ended: set[str] = set()
        self._looked = asyncio.Condition()
        self._checking: asyncio.Task[None] | None = None
        self._pause = SHORTEST
        self._ending = False

    async def end(self) -> None:
        """Make every pending `wait` return now."""
        self._ending = True
        async with self._looked:
            self._looked.notify_all()

    async def wait(self, order_id: str, seconds: float) -> None:
        """Return when the order has ended or needs attention, at the latest after `seconds`."""
        self._wanted[order_id] += 1
        self._pause = SHORTEST
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check_all())
        try:
            async with asyncio.timeout(seconds), self._looked:
                await self._looked.wait_for(lambda: self._ending or order_id in self._ended)
        except TimeoutError:
            return
        finally:
            self._wanted[order_id] -= 1
            if not self._wanted[order_id]:
                del self._wanted[order_id]
                self._ended.discard(order_id)

    async def _check_all(self) -> None:
        while self._wanted and not self._ending:
            wanted = [each for each in self._wanted if each not in self._ended]
            for begin in range(0, len(wanted), AT_ONCE):
                chunk = wanted[begin : begin + AT_ONCE]
                try:
                    found = await run_in_threadpool(self._reader.ended, chunk)
                except BridgeError:
                    break  # the database is unavailable: query again after the pause
                self._ended |= found & self._wanted.keys()
            async with self._looked:
                self._looked.notify_all()
            await asyncio.sleep(self._pause)
            self._pause = min(LONGEST, self._pause * 1.5)
