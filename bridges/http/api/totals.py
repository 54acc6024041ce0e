"""Numbers of all orders and of all sagas that ended, by status: counting them reads an index."""

import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager

import sqlalchemy as sa
import structlog

from order_sagas.actors.sagas.state import Status
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.storage import queries

ENDED = (Status.COMPLETED.name, Status.CANCELLED.name)
"""Final statuses of a saga."""
QUICK = 0.05
"""A count that takes at most this many seconds is repeated for each request."""
RARER = 50
"""A longer count is cached for RARER times its duration, and then repeated on another thread."""

Counted = tuple[dict[str, int], dict[str, int]]
"""Number of orders by status, and of ended sagas by status."""

_log = structlog.get_logger(__name__)


class Totals:
    """Counts, and caches counts that take long. Used by several threads.

    `moment` opens a connection, for counts that are made on a thread of their own.
    """

    def __init__(self, moment: Callable[[], AbstractContextManager[sa.Connection]]) -> None:
        self._moment = moment
        self._counting = threading.Lock()
        self._known: Counted | None = None
        self._until = float("-inf")

    def of(self, db: sa.Connection) -> Counted:
        """Return the numbers.

        With a long history they may be cached; a request waits only for the first count.
        """
        known = self._known
        if known is None:
            with self._counting:
                return self._known or self._count(db)
        if self._until == float("-inf"):  # the last count was quick
            return self._count(db)
        if time.monotonic() >= self._until and self._counting.acquire(blocking=False):
            threading.Thread(target=self._count_apart, name="totals", daemon=True).start()
        return known

    def _count_apart(self) -> None:
        try:
            with self._moment() as db:
                self._count(db)
        except BridgeError as error:
            _log.warning("http.totals_not_counted", error=str(error))
        finally:
            self._counting.release()

    def _count(self, db: sa.Connection) -> Counted:
        began = time.monotonic()
        sagas_by_status = queries.saga_counts(db)
        ended = {s: n for s, n in sagas_by_status.items() if s in ENDED}
        counted = queries.order_counts(db), ended
        now = time.monotonic()
        took = now - began
        self._until = now + RARER * took if took > QUICK else float("-inf")
        self._known = counted
        return counted
