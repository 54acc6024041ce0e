"""What the HTTP bridge is told when it is made."""

from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import attrs

from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.logs.log_writer import LogWriter
from order_sagas.bridges.operations.dead_letters import LetterSource
from order_sagas.bridges.storage.lag import Lag


class HttpError(BridgeError):
    """HTTP cannot be served as it is asked for; says what to do."""


class NoTokensError(HttpError):
    """Other machines could reach it, and no tokens are set."""

    command = ("http", "token", "NAME")


@attrs.frozen(kw_only=True)
class HttpOptions:
    """Where to serve, whom, and how much. Times are seconds, sizes bytes."""

    host: str = "127.0.0.1"
    port: int = 8080
    """0 for any that is free."""
    tokens: Path | None = None
    """The file of those who are let in; None for everybody on this machine."""
    rate: float = 1000.0
    """Requests a second from one caller; 0 for any number."""
    max_body: int = 256 * 1024
    queue: int = 1000
    """Orders that may wait to be stored."""
    connections: int = 1000
    timeout: float = 10.0
    """How long a request may take to arrive, and a connection may be silent."""

    @property
    def is_loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host.strip("[]")).is_loopback
        except ValueError:
            return False


def _nothing() -> None:
    return None


@attrs.frozen(kw_only=True)
class Dependencies:
    """What the HTTP bridge uses of the system around it. Whatever may block runs on a thread."""

    database: str
    registry: Registry
    open_log: Callable[[], LogWriter]
    """A log to write to, for the thread that calls it. Raises BridgeError if there is none."""
    letters: Callable[[], LetterSource]
    """Where dead letters are read, for the thread that calls it."""
    running: Callable[[], int]
    """How many processes handle what is written."""
    timeline: Callable[[str], Any] = lambda order_id: None
    """The life of an order from the logs, as JSON has it; None if they do not know of it."""
    lag: Callable[[], Lag] = lambda: Lag({}, {})
    """Records that nobody has handled yet, by topic."""
    dead_letters: Callable[[], int] = lambda: 0
    """Records among the dead letters, with their marks."""
    check_log: Callable[[], None] = _nothing
    """Raises BridgeError if the log is away."""
    flush: Callable[[], None] = _nothing
    """Writes the log lines that have gathered."""
