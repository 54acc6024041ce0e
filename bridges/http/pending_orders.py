"""Between HTTP's event loop and the actor: an order goes in, what became of it comes back."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.http.intake_actor import Answer, TakeOrder
from order_sagas.bridges.http.problems import retry_later
from order_sagas.bridges.intake.intake import Verdict

BUSY = 1.0
"""Seconds after which somebody who was turned away may come again."""


class PendingOrders:
    """Hands orders to the actor and keeps who waits for which; never more than `size` at once."""

    def __init__(self, tell: Callable[[Any], None], size: int) -> None:
        self._tell = tell
        self._size = size
        self._tickets = count()
        self._waiting: dict[int, asyncio.Future[Verdict]] = {}

    async def bring(self, order: OrderCreated, client_key: str = "") -> Verdict:
        """What became of the order, once that is committed.

        Raises Problem where too many wait, and BridgeError where it could not be stored.
        """
        if len(self._waiting) >= self._size:
            raise retry_later(503, "too many orders wait to be stored", BUSY)
        loop = asyncio.get_running_loop()
        self._loop = loop
        ticket = next(self._tickets)
        future: asyncio.Future[Verdict] = loop.create_future()
        self._waiting[ticket] = future
        try:
            self._tell(TakeOrder(ticket, order, client_key))
            return await future
        finally:
            self._waiting.pop(ticket, None)

    def answer(self, answers: Sequence[Answer]) -> None:
        """Tell those who wait, from any thread."""
        try:
            self._loop.call_soon_threadsafe(self._settle, answers)
        except RuntimeError:
            return  # the loop has ended, and nobody waits

    @property
    def waiting(self) -> int:
        """Orders that wait to be stored."""
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
