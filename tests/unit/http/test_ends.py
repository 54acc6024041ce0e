"""Waiting for the end of an order."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.http.api.completion_waiter import CompletionWaiter


class FirstReadFails:
    """A reader whose first read fails because the database is not available."""

    looks = 0

    def ended(self, order_ids: Sequence[str]) -> set[str]:
        self.looks += 1
        if self.looks == 1:
            raise StoreUnavailableError("the database is away")
        return set(order_ids)


def test_waiting_continues_after_one_failed_read() -> None:
    """A failed read does not end the wait of all requests."""
    reader = FirstReadFails()

    asyncio.run(CompletionWaiter(cast(Any, reader)).wait("o-1", seconds=30.0))

    assert 2 == reader.looks
