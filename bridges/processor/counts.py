"""Counters of a batch processor since it started."""


class Counts:
    """Counters for the report of a processor."""

    __slots__ = (
        "begun", "dead_letters", "ended", "last_error", "records", "since", "stale_acks",
        "stopped_shards",
    )  # fmt: skip

    def __init__(self) -> None:
        self.records = self.begun = self.ended = self.dead_letters = self.stale_acks = 0
        self.since = 0.0
        self.last_error = ""
        self.stopped_shards = 0
