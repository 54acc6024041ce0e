"""Starts the sagas of schedules, each due time once.

A schedule belongs to the worker that owns the shard of its name. The start is written in the same
transaction as the due time up to which the schedule is settled, and that transaction is fenced by
the epochs of the shards: a due time is started once, over restarts and takeovers too.
"""

from collections.abc import Sequence

import structlog
from msgspec.structs import replace

from order_sagas.actors.protocol import Output
from order_sagas.actors.schedules import MOST_CAUGHT_UP, Due, Schedule
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.shard_ownership import ShardOwnership
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.storage.schedules import ScheduleRow

log = structlog.get_logger("processor")

PUNCTUAL = 60.0
"""Seconds after which a due time counts as missed, for a schedule without catch-up."""
LONGEST_SLEEP = 3600.0
"""Maximum seconds between two checks, in case the clock is set."""
AGAIN = 60.0
"""Seconds until a start that failed is tried again."""


class Scheduler:
    """Tracks the schedules of the owned shards, and how far each is settled."""

    def __init__(self, context: ProcessorContext, ownership: ShardOwnership) -> None:
        self._context = context
        self._ownership = ownership
        self._ours: Sequence[Schedule] = ()
        self._rows: dict[str, ScheduleRow] = {}
        self._failed_at: dict[str, float] = {}

    def shards_gained(self) -> None:
        """Read from the database how far the schedules of the owned shards are settled.

        Call it between batches.
        """
        self._ours = self._owned(self._context.schedules)
        self._rows = self._context.store.schedules.all() if self._ours else {}

    def shards_lost(self) -> None:
        """Leave the schedules of shards that are owned no longer to their new owners."""
        self._ours = self._owned(self._ours)

    def _owned(self, schedules: Sequence[Schedule]) -> Sequence[Schedule]:
        partitions, epochs = self._context.store.partitions, self._ownership.epochs
        return [
            each for each in schedules if partition_for(each.name.encode(), partitions) in epochs
        ]

    @property
    def sleep(self) -> float | None:
        """Seconds until the next due time, at most LONGEST_SLEEP; None without schedules."""
        if not self._ours:
            return None
        now = self._context.clock.now()
        return max(0.0, min([LONGEST_SLEEP, *(self._wait(each, now) for each in self._ours)]))

    def fire(self, batch: Batch) -> None:
        """Add to the batch the starts that are due, and how far the schedules are settled then."""
        now = self._context.clock.now()
        for schedule in self._ours:
            row = self._rows.get(schedule.name)
            if row is None:
                self._settle(batch, ScheduleRow(schedule.name, now))
            elif self._wait(schedule, now) <= 0:
                self._start(batch, schedule, row, now)

    def _wait(self, schedule: Schedule, now: float) -> float:
        row = self._rows.get(schedule.name)
        if row is None:
            return 0.0
        due = schedule.next(row.due)
        wait = LONGEST_SLEEP if due is None else due.at.timestamp() - now
        if wait <= 0 and schedule.name in self._failed_at:
            return self._failed_at[schedule.name] + AGAIN - now
        return wait

    def _start(self, batch: Batch, schedule: Schedule, row: ScheduleRow, now: float) -> None:
        started: list[Output] = []
        settled, order_id = row.due, row.order_id
        try:
            for due in self._due(schedule, row.due, now):
                settled = due.at.timestamp()
                if schedule.catch_up == "none" and settled < now - PUNCTUAL:
                    log.warning("schedule.missed", schedule=schedule.name, due=due.id)
                    continue
                output = self._output(schedule, due)
                order_id = output.message.order_id
                started.append(output)
        except Exception as error:
            log.error("schedule.failed", schedule=schedule.name, error=str(error), exc_info=error)
            self._failed_at[schedule.name] = now
            return
        self._failed_at.pop(schedule.name, None)
        for output in started:
            log.info("schedule.started", schedule=schedule.name, order_id=output.message.order_id)
        batch.outputs += started
        started_at = now if started else row.started_at
        self._settle(batch, ScheduleRow(schedule.name, settled, order_id, started_at))

    def _due(self, schedule: Schedule, after: float, now: float) -> list[Due]:
        """The due times to settle now, the oldest first."""
        found: list[Due] = []
        for due in schedule.after(after):
            if due.at.timestamp() > now:
                break
            if schedule.catch_up != "all":
                found.clear()  # only the newest
            elif len(found) == MOST_CAUGHT_UP:
                break
            found.append(due)
        return found

    def _output(self, schedule: Schedule, due: Due) -> Output:
        message = schedule.start(due)
        saga = self._context.registry.started_by[type(message)]
        if not message.event_id:
            message = replace(message, event_id=f"schedule/{due.id}")
        return Output(saga.origin.topic, saga.origin.keyed_by(message), message)

    def _settle(self, batch: Batch, row: ScheduleRow) -> None:
        self._rows[row.name] = row
        batch.schedules[row.name] = row
