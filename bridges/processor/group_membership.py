"""Decides whether a worker stays in its consumer group while the database is unavailable."""

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.storage.changes import Changes

_NO_ROW = 0


class GroupMembership:
    """Decides when a worker leaves its group in an outage of the database, and when it returns.

    An outage may affect only this worker. Its shards then move to workers that can commit.
    """

    def __init__(self, context: ProcessorContext, longest_outage: float) -> None:
        """`longest_outage` is the time in seconds for which a worker waits for the database."""
        self._context = context
        self._longest_outage = longest_outage
        self.has_left = False

    @property
    def is_undecided(self) -> bool:
        """Whether to decide again later: while the database is unavailable, and until a return."""
        return self.has_left or self._outage() > 0.0

    @property
    def is_outage_too_long(self) -> bool:
        """Whether the outage has lasted for longer than a worker waits for the database."""
        return self._outage() > self._longest_outage

    def is_database_back(self) -> bool:
        """Try a write to the database; a read would also succeed on a read-only server."""
        try:
            self._context.store.commit(Changes(published=[_NO_ROW]), self._context.clock.now())
        except StoreUnavailableError:
            return False
        return True

    def _outage(self) -> float:
        """Seconds since the outage of the database began; 0.0 if there is none."""
        return self._context.outages.lasts("database", self._context.clock.now())
