"""Work of a processor that is due by time: read pauses, start schedules, expire replies, prune."""

from collections.abc import Callable
from typing import Any

from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.deferral import LOOK_SECONDS, Deferral
from order_sagas.bridges.processor.early_replies import EarlyReplies
from order_sagas.bridges.processor.pruner import Pruner
from order_sagas.bridges.processor.scheduler import Scheduler
from order_sagas.bridges.processor.shared_parts import SharedParts
from order_sagas.bridges.processor.wakeups import Expire, LookAgain, LookAtSchedules, Prune
from order_sagas.bridges.records.routing import ORCHESTRATOR

SHORTEST_SLEEP = 0.001
"""Seconds of the shortest timer for a due time that is not reached yet."""
SHORTEST_KEEP = 1.0
"""Seconds from one look for early replies that are kept for too long to the next, at least."""
NEVER = float("inf")


class DueWork:
    """Sets the wakeups of these parts, and has them work in the next batch, or between batches.

    `wake_up` sends the processor a payload after some seconds.
    """

    def __init__(
        self,
        parts: SharedParts,
        deferral: Deferral,
        early_replies: EarlyReplies,
        scheduler: Scheduler,
        wake_up: Callable[[float, Any], None],
    ) -> None:
        self._context = parts.context
        self._ownership = parts.ownership
        self._orchestrates = ORCHESTRATOR in parts.receivers
        self._polls_pauses = parts.log_adapter.polls_pauses
        self._deferral = deferral
        self._early_replies = early_replies
        self._scheduler = scheduler
        self._wake_up = wake_up
        self._look_pending = False
        self._prune_due = False
        self._expiry_due = self._schedule_due = False
        self._expiry_at = self._schedule_at = NEVER
        """When the next wakeup comes that looks (seconds since the Unix epoch)."""
        self._schedules_known = False
        """Whether the schedules' rows were read since the last rollback or gain of shards."""
        context = parts.context
        keeps = (
            context.keep_finished,
            context.keep_idempotency_keys,
            context.keep_outbox_events,
            context.keep_operator_actions,
        )
        prunes = self._orchestrates and any(keep is not None for keep in keeps)
        self._pruner = Pruner(context.store, context.clock, *keeps) if prunes else None

    @property
    def pruned(self) -> int:
        """The number of orders that were pruned."""
        return self._pruner.orders if self._pruner else 0

    def begin(self) -> None:
        """Read the pauses, and set the first wakeups."""
        if self._pruner:
            self._wake_up(self._pruner.pause, Prune())
        self.look_at_pauses()

    def woken(self, payload: Any) -> bool:
        """Note what is due by the payload of a wakeup; return False if it is for another part."""
        kind = type(payload)
        if kind is LookAgain:
            self._look_pending = False
            self._deferral.look_due = True
        elif kind is LookAtSchedules:
            self._schedule_at = NEVER
            self._schedule_due = True
        elif kind is Expire:
            self._expiry_at = NEVER
            self._expiry_due = True
        elif kind is Prune:
            self._prune_due = True
        else:
            return False
        return True

    # --- between batches ----------------------------------------------------------------------

    def look_at_pauses(self) -> None:
        """Read the pauses; again later if one is ending, or if the log announces none."""
        self._deferral.look()
        if (self._deferral.ending or self._polls_pauses) and not self._look_pending:
            self._look_pending = True
            self._wake_up(LOOK_SECONDS, LookAgain())

    def prune(self) -> None:
        """Prune a small part if it is due. Not while a batch is open: it may have read the part."""
        if not self._pruner or not self._prune_due:
            return
        self._prune_due = False
        seconds = self._pruner.pause
        try:
            seconds = self._pruner.work(self._ownership.epochs)
        finally:
            self._wake_up(seconds, Prune())

    def shards_gained(self) -> None:
        """Go on with what is kept for the owned shards."""
        self._deferral.shards_gained()
        self._early_replies.shards_gained()
        self.watch_early_replies()
        self._schedules_known = False

    def shards_lost(self) -> None:
        """Leave what belongs to shards that are owned no longer to their new owners."""
        self._early_replies.shards_lost()
        self._scheduler.shards_lost()

    def rolled_back(self) -> None:
        """Read the schedules' rows again: those of the batch were not stored."""
        self._schedules_known = False

    # --- in a batch ---------------------------------------------------------------------------

    def add_to(self, batch: Batch, *, stopping: bool) -> None:
        """Add to the batch early replies that expire, and starts that are due unless `stopping`."""
        if self._expiry_due:
            self._expiry_due = False
            self._early_replies.expire(batch)
            self.watch_early_replies()
        if not self._schedules_known:
            self._watch_schedules()
        if self._schedule_due and not stopping:
            self._schedule_due = False
            self._scheduler.fire(batch)
            self._sleep_until_due()

    def watch_early_replies(self) -> None:
        """Wake up when the oldest early reply has been kept for long enough."""
        expiry = self._early_replies.next_expiry
        if expiry < self._expiry_at:
            self._expiry_at = expiry
            self._wake_up(max(expiry - self._context.clock.now(), SHORTEST_KEEP), Expire())

    def _watch_schedules(self) -> None:
        """Read how far the schedules of the owned shards are settled, and go on from there."""
        if self._context.schedules and self._orchestrates:
            self._scheduler.shards_gained()
            self._sleep_until_due()
        self._schedules_known = True

    def _sleep_until_due(self) -> None:
        seconds = self._scheduler.sleep
        at = NEVER if seconds is None else self._context.clock.now() + seconds
        if seconds is not None and at < self._schedule_at:
            self._schedule_at = at
            # A timer counts in microseconds: for less it would fire at once, and before the time.
            self._wake_up(max(seconds, SHORTEST_SLEEP) if seconds else 0.0, LookAtSchedules())
