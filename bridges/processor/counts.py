"""Counters of a batch processor since it started."""

from order_sagas.actors.sagas.state import CANCELLED, SagaState
from order_sagas.bridges.durations import BUCKETS, bucket_of


class Counts:
    """Counters for the report of a processor."""

    __slots__ = (
        "begun", "cancelled", "dead_letters", "durations", "ended", "last_error", "records",
        "since", "stale_acks", "stopped_shards",
    )  # fmt: skip

    def __init__(self) -> None:
        self.records = self.begun = self.ended = self.dead_letters = self.stale_acks = 0
        self.cancelled = 0
        self.since = 0.0
        self.last_error = ""
        self.stopped_shards = 0
        self.durations = [0] * BUCKETS

    def saga_ended(self, saga: SagaState) -> None:
        """Count a saga that has ended, and its duration."""
        self.ended += 1
        if saga.status == CANCELLED:
            self.cancelled += 1
        self.durations[bucket_of(saga.ended_at - saga.started_at)] += 1
