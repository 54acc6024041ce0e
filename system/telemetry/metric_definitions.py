"""Declares every metric of the workers, for the endpoint, the documentation and tests.

Names, units and suffixes follow https://prometheus.io/docs/practices/naming.
"""

import attrs

PREFIX = "order_sagas_"
WORKER = "worker"
"""The label that is added to every metric: the number of the worker in its run."""


@attrs.frozen
class Described:
    """The declaration of one metric; `name` is its name in Prometheus."""

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()


def _described(name: str, kind: str, help: str, *labels: str) -> Described:
    return Described(PREFIX + name, kind, help, labels)


STARTED = _described("sagas_started_total", "counter", "Sagas started.", "saga")
ENDED = _described(
    "sagas_ended_total", "counter", "Sagas ended, by final status: COMPLETED or CANCELLED.",
    "saga", "status",
)  # fmt: skip
TRANSITIONS = _described(
    "transitions_total", "counter", "Transitions of sagas, by their names in the logs.",
    "saga", "transition", "step",
)  # fmt: skip
STEPS = _described(
    "step_seconds", "histogram", "Seconds from the command of an attempt to its outcome.",
    "saga", "step", "outcome",
)  # fmt: skip
SAGAS = _described(
    "saga_seconds", "histogram", "Seconds from the start of a saga to its end.", "saga", "status"
)
LATENESS = _described(
    "timeout_lateness_seconds", "histogram",
    "Seconds from a deadline to its handling, including postponement by outages and pauses.",
    "saga",
)  # fmt: skip
RECORDS = _described("batch_records", "histogram", "Records in a batch; 0 if it has only timers.")
COMMITS = _described("commit_seconds", "histogram", "Duration in seconds of a batch's transaction.")
AGES = _described(
    "record_age_seconds", "histogram",
    "Age in seconds of the first record of a batch when the batch was committed.",
)  # fmt: skip
DEAD_LETTERS = _described(
    "dead_letters_total", "counter", "Records that could not be handled and became dead letters."
)
ROLLBACKS = _described("rollbacks_total", "counter", "Batches that were rolled back and repeated.")
STALE_ACKS = _described(
    "stale_acknowledgements_total", "counter",
    "Acknowledgements of rolled back batches, which are ignored.",
)  # fmt: skip
CALL_FAILURES = _described(
    "external_call_failures_total", "counter",
    "Calls to external systems that failed: exception, no_answer, declined or callback.",
    "service", "operation", "reason",
)  # fmt: skip
CALLS = _described(
    "worker_external_calls", "gauge",
    "External calls in progress: running, queued, or with an outcome not stored yet.", "service",
)  # fmt: skip
PRUNED = _described(
    "orders_pruned_total", "counter", "Ended orders that were deleted after the retention time."
)
IN_FLIGHT = _described("worker_sagas_in_flight", "gauge", "Sagas in flight in the worker's memory.")
SHARDS = _described("worker_shards", "gauge", "Shards that the worker owns.")
EARLY_REPLIES = _described(
    "worker_early_replies", "gauge",
    "Replies kept because they came before their saga or before their step was sent.",
)  # fmt: skip
STOPPED_SHARDS = _described(
    "worker_shards_stopped",
    "gauge",
    "Shards that the worker does not read, because a topic was created again or lost records.",
)
UP = _described("worker_up", "gauge", "1 if the worker's event loop responds, else 0.")
ROLE_LAG = _described(
    "role_records_waiting", "gauge",
    "Records that are not handled yet, by role. Absent for a role never started.", "role",
)  # fmt: skip
"""The only metric of a run as a whole: it has no label of a worker."""

METRICS = (
    STARTED, ENDED, TRANSITIONS, STEPS, SAGAS, LATENESS, RECORDS, COMMITS, AGES, DEAD_LETTERS,
    ROLLBACKS, STALE_ACKS, CALL_FAILURES, PRUNED, CALLS, IN_FLIGHT, SHARDS,
    STOPPED_SHARDS, EARLY_REPLIES, UP,
)  # fmt: skip

PROCESS = (
    _described("process_cpu_seconds_total", "counter", "CPU time of the worker's process."),
    _described("process_resident_memory_bytes", "gauge", "Memory of the worker's process."),
    _described("process_virtual_memory_bytes", "gauge", "Address space of the worker's process."),
    _described(
        "process_start_time_seconds", "gauge",
        "Start time of the worker's process since the Unix epoch, in seconds; changes on restart.",
    ),
    _described("process_open_fds", "gauge", "Open file descriptors."),
    _described("process_max_fds", "gauge", "Maximum number of open file descriptors."),
)  # fmt: skip
"""Process metrics that prometheus-client reports for each worker, on Linux."""
