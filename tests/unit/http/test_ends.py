"""Waiting for the end of an order."""

import asyncio
from collections.abc import Sequence
from typing import Any, cast

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.http.api.completion_waiter import CompletionWaiter


class AwayAtFirst:
    """A reader whose database is away for the first look."""

    looks = 0

    def ended(self, order_ids: Sequence[str]) -> set[str]:
        self.looks += 1
        if self.looks == 1:
            raise StoreUnavailableError("the database is away")
        return set(order_ids)


def test_who_waits_is_told_although_the_database_was_away_for_a_moment() -> None:
    """One failed look does not end the looking for all who wait."""
    reader = AwayAtFirst()

    asyncio.run(CompletionWaiter(cast(Any, reader)).wait("o-1", seconds=30.0))

    assert 2 == reader.looks
