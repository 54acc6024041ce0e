"""The messages between supervisor and child processes, and those of the control socket.

All are plain data: tagged msgspec structs, encoded by `channel`.
"""

from typing import Any, Literal

import msgspec

from order_sagas.bridges.processor.messages import Report
from order_sagas.system.settings import Settings
from order_sagas.system.supervision.settings_transfer import settings_from_plain, settings_to_plain


class Plain(msgspec.Struct, frozen=True, tag=True):
    """The base of all messages."""


class RunWorker(Plain, frozen=True):
    """To a child, first: run the system with these shards."""

    number: int
    name: str
    """The name of its log file."""
    shards: frozenset[int] | None
    """None for all of them, or for those that Kafka assigns."""
    plain_settings: dict[str, Any]

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return settings_from_plain(self.plain_settings)

    def __repr__(self) -> str:
        return f"RunWorker({self.number})"  # the settings hold secrets


class RunHttp(Plain, frozen=True):
    """To a child, first: serve HTTP. It is numbered after the workers."""

    number: int
    restarts: int
    """Number of earlier restarts of its process."""
    plain_settings: dict[str, Any]

    @property
    def settings(self) -> Settings:
        """The settings of the run."""
        return settings_from_plain(self.plain_settings)

    def __repr__(self) -> str:
        return f"RunHttp({self.number})"  # the settings hold secrets


class AskStatus(Plain, frozen=True):
    """To the supervisor or a worker: a request for its status."""


class AskMetrics(Plain, frozen=True):
    """To the supervisor or a worker: a request for its metrics."""


class Shutdown(Plain, frozen=True):
    """To a child: finish and commit the current batch, and exit."""


class Started(Plain, frozen=True):
    """From a child, once: it is running."""


class ChildStatus(Plain, frozen=True):
    """From a worker, to `AskStatus`; `report` is None if its batch processor did not answer."""

    report: Report | None
    cpu: float
    """CPU seconds of its process."""
    log_lines_lost: int = 0
    """Log lines that could not be written, because of a full disk."""


class ChildMetrics(Plain, frozen=True):
    """From a worker, to `AskMetrics`: its metrics in Prometheus's text format."""

    text: str


class Finished(Plain, frozen=True):
    """From a child, to `Shutdown`; `clean` if every open batch was committed."""

    clean: bool


class Failed(Plain, frozen=True):
    """From a child, last: why it cannot continue. It exits even if this cannot be sent."""

    reason: str
    outage: bool = False
    """True if the database is unavailable: the process is restarted until it is available."""


ToChild = RunWorker | RunHttp | AskStatus | AskMetrics | Shutdown
FromChild = Started | ChildStatus | ChildMetrics | Finished | Failed


class WorkerStatus(msgspec.Struct, frozen=True):
    """One worker, as `order-sagas status` shows it."""

    number: int
    pid: int
    """0 while it waits for its restart."""
    restarts: int
    state: Literal["starting", "running", "not answering", "restarting"]
    report: Report | None = None
    """None unless it is running."""
    cpu: float = 0.0
    log_lines_lost: int = 0
    """Log lines that could not be written, because of a full disk."""
    """CPU seconds of its process."""


class Status(Plain, frozen=True):
    """The answer of a supervisor to `AskStatus`: all workers, by number."""

    workers: list[WorkerStatus]
    last_error: str = ""


class AskStop(Plain, frozen=True):
    """To the control socket: stop the run, as SIGTERM would."""


class Stopping(Plain, frozen=True):
    """The answer to `AskStop`. The connection stays open until the first process has ended."""

    pid: int


ControlRequest = AskStatus | AskStop
ControlReply = Status | Stopping


def run_worker(
    settings: Settings, number: int, name: str, shards: frozenset[int] | None
) -> RunWorker:
    """Return the first message to a worker."""
    return RunWorker(number, name, shards, settings_to_plain(settings))


def run_http(settings: Settings, number: int, restarts: int = 0) -> RunHttp:
    """Return the first message to the process that serves HTTP."""
    return RunHttp(number, restarts, settings_to_plain(settings))
