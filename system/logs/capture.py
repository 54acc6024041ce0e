"""Log lines kept in memory, for whoever wants to look at them rather than write them."""

from collections.abc import Callable

import structlog

from order_sagas.system.logs.configure import _processors, _relay
from order_sagas.system.logs.json_renderer import JsonLine
from order_sagas.system.logs.logger import logger_class


class LogCapture:
    """While it is open, every line of this process goes to `lines` and nowhere else.

    Captures may be nested; the innermost gets the lines. Closing gives back what was before.
    """

    def __init__(self, now: Callable[[], float], level: str = "info") -> None:
        self.lines: list[bytes] = []
        """JSON, without newlines, exactly as a log file would hold them."""
        self._processor = JsonLine(now)
        self._level = level

    def open(self) -> None:
        """Take the lines from now on."""
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

    def close(self) -> None:
        """Let the lines go where they went before; to nowhere, if logging was not set up."""
        _processors[:], methods, config = self._before
        if methods:
            vars(_relay).update(methods)
        else:
            for method in ("debug", "info", "warning", "error", "critical", "exception"):
                setattr(_relay, method, _forget)
            _processors[:] = [self._processor]  # loggers that were cached meanwhile still come here
        if self._configured:
            structlog.configure(**config)
        else:
            structlog.reset_defaults()


def _forget(line: bytes) -> None:
    """Nobody listens."""
