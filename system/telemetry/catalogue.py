"""Every metric of the workers, declared once: the endpoint, the documentation and tests read this.

Names, units and endings are those of https://prometheus.io/docs/practices/naming.
"""

import attrs

PREFIX = "order_sagas_"
WORKER = "worker"
"""The label that every metric gets where it leaves: the number of the worker in its run."""


@attrs.frozen
class Described:
    """One metric, by the name under which Prometheus keeps it."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


def _described(name: str, kind: str, help: str, *labels: str) -> Described:
    return Described(PREFIX + name, kind, help, labels)


STARTED = _described(
    "sagas_started_total", "counter", "Sagas that began: orders that were accepted.", "saga"
)
ENDED = _described(
    "sagas_ended_total", "counter", "Sagas that ended, by how: COMPLETED or CANCELLED.",
    "saga", "status",
)  # fmt: skip
TRANSITIONS = _described(
    "transitions_total", "counter", "What happened to sagas, by the names that the logs use.",
    "saga", "transition", "step",
)  # fmt: skip
STEPS = _described(
    "step_seconds", "histogram", "From an attempt's command until its outcome.",
    "saga", "step", "outcome",
)  # fmt: skip
SAGAS = _described("saga_seconds", "histogram", "From a saga's start to its end.", "saga", "status")
LATENESS = _described(
    "timeout_lateness_seconds", "histogram",
    "From a deadline until it was acted upon; outages and pauses that put it off are part of it.",
    "saga",
)  # fmt: skip
RECORDS = _described("batch_records", "histogram", "Records in a batch; 0 for one of timers alone.")
COMMITS = _described("commit_seconds", "histogram", "How long the transaction of a batch took.")
AGES = _described(
    "record_age_seconds", "histogram",
    "How long the first record of a batch had waited in its log when the batch was stored.",
)  # fmt: skip
DEAD_LETTERS = _described(
    "dead_letters_total", "counter", "Records that nobody could handle, and were put aside."
)
ROLLBACKS = _described("rollbacks_total", "counter", "Batches that were dropped, and done again.")
STALE_ACKS = _described(
    "stale_acknowledgements_total", "counter",
    "Answers of actors to batches that had been rolled back: ignored.",
)  # fmt: skip
CALL_FAILURES = _described(
    "external_call_failures_total", "counter",
    "Calls to external systems that failed: exception, no_answer, declined or callback.",
    "service", "operation", "reason",
)  # fmt: skip
CALLS = _described(
    "worker_external_calls", "gauge",
    "Calls to external systems that are under way: running, queued, or not stored yet.", "service",
)  # fmt: skip
PRUNED = _described(
    "orders_pruned_total", "counter", "Orders that were deleted, long after their end."
)
IN_FLIGHT = _described("worker_sagas_in_flight", "gauge", "Sagas that the worker holds in memory.")
SHARDS = _described("worker_shards", "gauge", "Shards that are the worker's.")
UP = _described("worker_up", "gauge", "Whether the worker's loop answers.")

METRICS = (
    STARTED, ENDED, TRANSITIONS, STEPS, SAGAS, LATENESS, RECORDS, COMMITS, AGES, DEAD_LETTERS,
    ROLLBACKS, STALE_ACKS, CALL_FAILURES, PRUNED, CALLS, IN_FLIGHT, SHARDS, UP,
)  # fmt: skip

PROCESS = (
    _described("process_cpu_seconds_total", "counter", "CPU time of the worker's process."),
    _described("process_resident_memory_bytes", "gauge", "Memory of the worker's process."),
    _described("process_virtual_memory_bytes", "gauge", "Address space of the worker's process."),
    _described(
        "process_start_time_seconds", "gauge",
        "When the worker's process began, since the Unix epoch; it changes with each restart.",
    ),
    _described("process_open_fds", "gauge", "File descriptors that are open."),
    _described("process_max_fds", "gauge", "File descriptors that may be open."),
)  # fmt: skip
"""What prometheus-client reports of each worker's process, on Linux."""
