"""Connects the event loop of the HTTP server with the actor that stores orders."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.http.api.intake_actor import Answer, StoreOrder
from order_sagas.bridges.http.problems import retry_later
from order_sagas.bridges.intake.intake import Verdict

BUSY = 1.0
"""Retry-After seconds when the queue is full."""


class PendingOrders:
    """Sends orders to the actor and awaits their verdicts; at most `size` are pending."""

    def __init__(self, tell: Callable[[Any], None], size: int) -> None:
        self._tell = tell
        self._size = size
        self._tickets = count()
        self._waiting: dict[int, asyncio.Future[Verdict]] = {}

    async def submit(
        self, order: OrderCreated, client_key: str = "", submitter: str = ""
    ) -> Verdict:
        """Store the order and return the verdict, after the commit.

        Raises Problem 503 if too many orders are pending, and BridgeError if storing failed.
        """
        if len(self._waiting) >= self._size:
            raise retry_later(503, "too many orders wait to be stored", BUSY)
        loop = asyncio.get_running_loop()
        self._loop = loop
        ticket = next(self._tickets)
        future: asyncio.Future[Verdict] = loop.create_future()
        self._waiting[ticket] = future
        try:
            self._tell(StoreOrder(ticket, order, client_key, submitter))
            return await future
        finally:
            self._waiting.pop(ticket, None)

    def answer(self, answers: Sequence[Answer]) -> None:
        """Complete pending orders by ticket. May be called from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._settle, answers)
        except RuntimeError:
            return  # the loop is closed, so no request is pending

    @property
    def waiting(self) -> int:
        """Number of orders that wait to be stored."""
        return len(self._waiting)

    def _settle(self, answers: Sequence[Answer]) -> None:
        for ticket, said in answers:
            future = self._waiting.get(ticket)
            if future is None or future.done():
                continue
            if isinstance(said, Exception):
                future.set_exception(said)
            else:
                future.set_result(said)
