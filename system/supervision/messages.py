"""What the supervisor, its workers and those who ask them say to each other."""

import attrs

from bridges.world import Report
from system.settings import Settings


@attrs.frozen
class Supervise:
    """To the supervisor, first: so many workers; `parent` is the process to tell of the end."""

    settings: Settings
    workers: int
    parent: int
    folder: str
    """Where the run keeps its lock and its notes."""
    names: str = ""
    """How the names of its workers begin, where other runs share the log directory."""


@attrs.frozen
class Work:
    """To a worker, first: run the system, and these shards of it."""

    settings: Settings
    number: int
    shards: frozenset[int] | None
    folder: str
    name: str
    """Of its log file."""


@attrs.frozen
class RunHttp:
    """To the process that serves HTTP, first; it is numbered behind the workers."""

    settings: Settings
    number: int
    folder: str
    restarts: int = 0
    """How often it was started before."""


@attrs.frozen
class AskStatus:
    """To the supervisor, which asks each worker and answers with `Status`."""


@attrs.frozen
class WorkerStatus:
    """One worker; `report` is None while it starts, or when it does not answer."""

    number: int
    pid: int
    restarts: int
    report: Report | None = None
    cpu: float = 0.0
    """CPU seconds of its process."""


@attrs.frozen
class Status:
    """Every worker, in the order of their numbers."""

    workers: list[WorkerStatus]
    last_error: str = ""


@attrs.frozen
class Shutdown:
    """To the supervisor, and from it to each worker: finish the batch, commit, stop."""


@attrs.frozen
class Finished:
    """The answer to `Shutdown`; `clean` if every batch in hand was committed."""

    clean: bool
