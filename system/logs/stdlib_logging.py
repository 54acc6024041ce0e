"""What libraries say through Python's own logging: to the log file, not all over the console.

In an outage a client repeats itself many times a second; what an operator has to know, the system
says itself, in lines of its own.
"""

import logging

import structlog

SAID = "library.said"
_log = structlog.get_logger("libraries")


class _Handler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """One line at level warning: an error of a library's is not yet one of the system's."""
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
    """Take what is logged at level warning or above, from now on; once for the process."""
    root = logging.getLogger()
    if _handler in root.handlers:
        return
    try:
        root.addHandler(_handler)
    except NotImplementedError:  # an actor's process: Thespian's own would send it elsewhere
        root.handlers[:] = [_handler]
