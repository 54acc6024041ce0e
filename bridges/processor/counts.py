"""Counters of a batch processor since it started."""

from typing import Any

from order_sagas.actors.sagas.state import CANCELLED, SagaState
from order_sagas.bridges.durations import BUCKETS, bucket_of
from order_sagas.bridges.processor.messages import Report
from order_sagas.bridges.processor.rates import Rates


class Counts:
    """Counters for the report of a processor."""

    __slots__ = (
        "_rates", "_since", "begun", "cancelled", "dead_letters", "durations", "ended",
        "last_error", "records", "stale_acks", "stopped_shards",
    )  # fmt: skip

    def __init__(self) -> None:
        self.records = self.begun = self.ended = self.dead_letters = self.stale_acks = 0
        self.cancelled = 0
        self.last_error = ""
        self.stopped_shards = 0
        self.durations = [0] * BUCKETS
        self.begin(0.0)

    def begin(self, now: float) -> None:
        """Take time from now on (seconds since the Unix epoch)."""
        self._since = now
        self._rates = Rates(now, 0, 0)

    def note(self, now: float) -> None:
        """Note how many sagas have begun and ended by now."""
        self._rates.note(now, self.begun, self.ended)

    def saga_ended(self, saga: SagaState) -> None:
        """Count a saga that has ended, and its duration."""
        self.ended += 1
        if saga.status == CANCELLED:
            self.cancelled += 1
        self.durations[bucket_of(saga.ended_at - saga.started_at)] += 1

    def report(self, now: float, **more: Any) -> Report:
        """Return the report of the processor; `more` are its fields that are not counted here."""
        begun_rate, ended_rate = self._rates.at(now, self.begun, self.ended)
        return Report(
            records=self.records,
            ended=self.ended,
            begun=self.begun,
            cancelled=self.cancelled,
            durations=[*self.durations],
            dead_letters=self.dead_letters,
            stale_acks=self.stale_acks,
            seconds=now - self._since,
            last_error=self.last_error,
            begun_rate=begun_rate,
            ended_rate=ended_rate,
            stopped_shards=self.stopped_shards,
            **more,
        )
