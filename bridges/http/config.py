"""Options and dependencies of the HTTP server, and its errors."""

from collections.abc import Callable, Collection, Mapping, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.http.api.system_views import WorkerView
from order_sagas.bridges.logs.log_writer import DeadLetterSource, LogWriter
from order_sagas.bridges.storage.lag import Lag
from order_sagas.bridges.storage.order_records import OrderRecords


class HttpError(BridgeError):
    """The HTTP server cannot be started with these options. The message says what to change."""


class NoTokensError(HttpError):
    """The address is reachable from other machines, but no tokens are configured."""

    command = ("http", "token", "NAME")


class TimelineError(BridgeError):
    """The timeline of an order cannot be read. The message says why."""


@attrs.frozen(kw_only=True)
class HttpOptions:
    """Address, token file and limits of the HTTP server. Times are in seconds, sizes in bytes."""

    host: str
    port: int
    """0 for any free port."""
    tokens: Path | None
    """The token file. None: no authentication, allowed only on a loopback address."""
    rate: float
    """Maximum requests per second of one caller; 0 for no limit."""
    max_body: int
    queue: int
    """Maximum number of orders that wait to be stored; further ones get 503."""
    connections: int
    """Maximum number of open connections."""
    connections_of_address: int
    """Maximum number of open connections of one address; 0 for no limit."""
    timeout: float
    """Time limit for a request to arrive, and for an idle connection."""

    @property
    def is_loopback(self) -> bool:
        """True if `host` is reachable only from this machine."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def _no_op() -> None:
    return None


def _no_records(order_id: str, keys: Collection[str], moments: Sequence[float]) -> OrderRecords:
    return OrderRecords([])


@attrs.frozen(kw_only=True)
class Dependencies:
    """Functions of the surrounding system that the HTTP server calls, on threads, as they block."""

    database: str
    registry: Registry
    approval_above: Mapping[str, int] = attrs.field(factory=dict)
    """Amounts above which a second person has to approve, in minor units by currency."""
    open_log: Callable[[], LogWriter]
    """Opens a log writer for the calling thread. Raises BridgeError if the log is unavailable."""
    letters: Callable[[], DeadLetterSource]
    """Opens a source of dead letters for the calling thread."""
    running: Callable[[], int]
    """Number of running worker processes."""
    timeline: Callable[[str], Any] = lambda order_id: None
    """Timeline of an order from the log files, as JSON values; None if they do not mention it.

    Raises TimelineError if it cannot be read within a time limit.
    """
    lag: Callable[[], Lag] = lambda: Lag({}, {})
    """Number of records not handled yet, by topic and by role."""
    records_of: Callable[[str, Collection[str], Sequence[float]], OrderRecords] = _no_records
    """Records of this order that have one of these keys, from around these moments (epoch seconds).

    Raises BridgeError if they cannot be read.
    """
    links_of: Callable[[str, str, str], Mapping[str, str]] = lambda *_: {}
    """Links to traces and logs, by name: of a saga id, an order id and a `traceparent` or ""."""
    dead_letters: Callable[[], int] = lambda: 0
    """Number of records in the dead-letter topic, including replay and discard marks."""
    workers: Callable[[], tuple[Sequence[WorkerView], str]] = lambda: ((), "")
    """The workers of the runs on this machine, and the last error of a supervisor or of one."""
    topic_problems: Callable[[], Sequence[object]] = lambda: ()
    """What keeps workers from reading topics, each as a text for people."""
    check_log: Callable[[], None] = _no_op
    """Raises BridgeError if the log is unavailable."""
    flush: Callable[[], None] = _no_op
    """Writes buffered log lines."""
