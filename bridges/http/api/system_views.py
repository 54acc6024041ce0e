"""Response bodies about the system itself: its history, its workers, the last audit."""

from order_sagas.bridges.http.api.schemas import View


class HistoryView(View):
    """Figures of the last hours, for each interval; null where none were recorded.

    All lists have the length of `at`. Rates are for each second. The figures of an interval are
    recorded at its end, so the one under way is not there.
    """

    resolution: int
    """Seconds of an interval."""
    hours: int
    at: list[int]
    """Beginning of each interval, in seconds since the Unix epoch."""
    started_rate: list[float | None]
    ended_rate: list[float | None]
    cancelled_share: list[float | None]
    """Share of the ended sagas that were cancelled, from 0 to 1; null if none ended."""
    records_rate: list[float | None]
    dead_letters: list[int | None]
    """Records that became dead letters in the interval."""
    duration_p50: list[float | None]
    """Median of the durations of the sagas that ended, in seconds."""
    duration_p95: list[float | None]
    in_flight: list[int | None]
    needs_attention: list[int | None]
    overdue: list[int | None]
    waiting: list[int | None]
    """Records that were not handled yet."""
    workers: list[int | None]
    shards: list[int | None]


class WorkerView(View):
    """A worker process of a supervised run on the machine of this server."""

    number: int
    pid: int
    """0 while it waits for its restart."""
    state: str
    """`starting`, `running`, `not answering` or `restarting`."""
    restarts: int
    shards: list[int] = []
    in_flight: int = 0
    records: int = 0
    """Records that it has handled since its start."""
    ended_rate: float = 0.0
    """Sagas ended per second, over the last seconds."""
    cpu: float = 0.0
    """CPU seconds of its process."""
    seconds: float = 0.0
    """Seconds since its start."""
    last_error: str = ""


class WorkersView(View):
    """The workers of the runs on this machine, and the records that are not handled yet."""

    running: int
    """Workers that handle records, wherever they run; on the embedded log 1 for any number."""
    workers: list[WorkerView]
    """Empty for a run of one process, which has no supervisor."""
    last_error: str = ""
    lag_by_topic: dict[str, int] | None = None
    """Null if Kafka does not answer."""
    lag_by_role: dict[str, int | None] | None = None


class AuditViolation(View):
    """A violation that an audit found, and the order or SKU that it concerns."""

    subject: str
    found: str


class AuditCheck(View):
    """The result of one check of an audit."""

    name: str
    rule: str
    looked_at: int
    things: str
    """What was examined, such as `orders`."""
    violations: int
    found: list[AuditViolation]
    """The first ones."""


class AuditResultView(View):
    """The result of an audit."""

    at: str
    by: str
    took: float
    """Seconds."""
    ok: bool
    in_flight: int
    needing_attention: int
    records_waiting: int
    checks: list[AuditCheck]


class AuditView(View):
    """The newest audit; null if none was ever run on this database."""

    audit: AuditResultView | None
