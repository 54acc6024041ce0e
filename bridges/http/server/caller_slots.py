"""Limits how many long requests, such as event streams, run at once, in total and per caller."""

from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from order_sagas.bridges.http.problems import retry_later
from order_sagas.bridges.http.server.tokens import Caller, Role

RETRY = 10.0
"""Retry-After seconds if no slot is free."""


class CallerSlots:
    """`total` slots: at most a quarter for a caller who may not act, three quarters for all these.

    So a token that only reads cannot take all slots, and some are left for operators.
    """

    def __init__(self, total: int, what: str) -> None:
        """`what` names in the plural what the slots are for, in the error."""
        self._total = total
        self._what = what
        self._taken = 0
        self._by_readers: Counter[str] = Counter()

    @contextmanager
    def taken(self, caller: Caller) -> Iterator[None]:
        """Hold a slot. Raises Problem 503 if none is free for the caller."""
        name = "" if caller.role & Role.ACT else caller.name
        if not self._is_free(name):
            raise retry_later(503, f"too many {self._what} already", RETRY)
        self._taken += 1
        if name:
            self._by_readers[name] += 1
        try:
            yield
        finally:
            self._taken -= 1
            if name:
                self._by_readers[name] -= 1
                self._by_readers += Counter()  # removes callers without a slot

    def _is_free(self, name: str) -> bool:
        if self._taken >= self._total:
            return False
        if not name:
            return True
        quarter = max(1, self._total // 4)
        return (
            self._by_readers[name] < quarter
            and self._by_readers.total() < self._total - self._total // 4
        )


class SlotStream(StreamingResponse):
    """A streamed response that holds a slot until it ends."""

    def __init__(
        self, content: AsyncIterator[bytes], slot: AbstractContextManager[None], **options: Any
    ) -> None:
        """Take a slot, as `taken` returns it. Raises Problem 503 if none is free."""
        super().__init__(content, **options)
        self._slot = slot
        slot.__enter__()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._slot.__exit__(None, None, None)
