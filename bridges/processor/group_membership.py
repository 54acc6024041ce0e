"""Decides whether a worker stays in its consumer group while it cannot reach the database."""

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.storage.changes import Changes

_NO_ROW = 0


class GroupMembership:
    """Decides that a worker leaves its group in an outage of the database, and when it returns.

    An outage may affect one worker alone. Its shards then move to workers that can commit.
    """

    def __init__(self, context: ProcessorContext, patience: float) -> None:
        """`patience` is the time in seconds for which a worker waits for the database."""
        self._context = context
        self._patience = patience
        self.has_left = False

    @property
    def is_doubtful(self) -> bool:
        """Whether to decide again later: while the database is away, and until a return."""
        return self.has_left or self._away() > 0.0

    def leaves(self) -> bool:
        """Return True if the worker has to leave now; it counts as having left from then on."""
        if self.has_left or self._away() <= self._patience:
            return False
        self.has_left = True
        return True

    def returns(self) -> bool:
        """Return True if the database can be written again; the worker counts as a member then."""
        if not self.has_left:
            return False
        try:  # a read would succeed on a server that is read-only
            self._context.store.commit(Changes(published=[_NO_ROW]), self._context.clock.now())
        except StoreUnavailableError:
            return False
        self.has_left = False
        return True

    def _away(self) -> float:
        """Seconds since the outage of the database began; 0.0 if there is none."""
        return self._context.outages.lasts("database", self._context.clock.now())
