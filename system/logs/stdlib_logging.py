"""Forwards the log records of libraries to the log file, and keeps them off the console.

In an outage a client library logs many times per second; the system logs what operators need to
know in lines of its own.
"""

import logging

import structlog

SAID = "library.said"
_log = structlog.get_logger("libraries")


class _Handler(logging.Handler):
    """Forwards records of the standard library's logging to structlog."""

    def emit(self, record: logging.LogRecord) -> None:
        """Log the record at level warning: an error of a library need not be one of the system."""
        try:
            more = {"exc_info": record.exc_info} if record.exc_info else {}
            _log.warning(
                SAID,
                library=record.name,
                severity=record.levelname.lower(),
                message=record.getMessage(),
                **more,
            )
        except Exception:
            self.handleError(record)


_handler = _Handler(logging.WARNING)


def listen_to_libraries() -> None:
    """Forward library records of level warning or above. Further calls have no effect."""
    root = logging.getLogger()
    if _handler in root.handlers:
        return
    try:
        root.addHandler(_handler)
    except NotImplementedError:  # in an actor process, replace Thespian's root handler
        root.handlers[:] = [_handler]
