"""Captures log lines in memory instead of writing them, for tests and simulations."""

from collections.abc import Callable

import structlog

from order_sagas.actors.sagas import transition_log
from order_sagas.system.logs.configure import _processors, _relay
from order_sagas.system.logs.json_renderer import JsonLine
from order_sagas.system.logs.logger import logger_class


class LogCapture:
    """While open, every log line of this process goes to `lines` and nowhere else.

    Captures may be nested; the innermost gets the lines. Closing restores the previous state.
    """

    def __init__(self, now: Callable[[], float], level: str = "info") -> None:
        self.lines: list[bytes] = []
        """JSON lines without newlines, as in a log file."""
        self._processor = JsonLine(now)
        self._level = level

    def open(self) -> None:
        """Start capturing."""
        self._before = (list(_processors), vars(_relay).copy(), structlog.get_config())
        self._configured = structlog.is_configured()
        _processors[:] = [self._processor]
        for method in ("debug", "info", "warning", "error", "critical", "exception"):
            setattr(_relay, method, self.lines.append)
        structlog.configure(
            processors=_processors,
            wrapper_class=logger_class(self._level),
            logger_factory=lambda *_: _relay,
            cache_logger_on_first_use=True,
        )
        transition_log.bind_again()

    def close(self) -> None:
        """Restore the previous destination; lines are dropped if logging was not configured."""
        _processors[:], methods, config = self._before
        if methods:
            vars(_relay).update(methods)
        else:
            for method in ("debug", "info", "warning", "error", "critical", "exception"):
                setattr(_relay, method, _forget)
            _processors[:] = [self._processor]  # for loggers that were cached meanwhile
        if self._configured:
            structlog.configure(**config)
        else:
            structlog.reset_defaults()


def _forget(line: bytes) -> None:
    """Drop the line."""
