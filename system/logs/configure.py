"""Set structlog up for this process."""

from contextlib import suppress
from typing import Any, Protocol, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor

from actors.clock import Clock
from system.logs.files import log_file
from system.logs.libraries import SAID, listen_to_libraries
from system.logs.line import JsonLine
from system.logs.logger import logger_class
from system.logs.sink import LogSink
from system.settings import Settings


def configure_logging(
    settings: Settings, clock: Clock, *, worker: str | None = None, console: TextIO | None = None
) -> LogSink:
    """Send the log lines of this process to a file in `settings.log_dir`.

    `worker` names the file; processes that share the directory each need a name of their own. On
    `console`, if given, people also see what the runner says of itself, and errors; what happens
    to single orders is for the trace; single requests, and what libraries say, are for the file.

    Call it once, before the first line is logged: loggers remember the level they began with. A
    second call redirects every logger that there is to the new sink, and keeps that level.
    """
    sink = LogSink(
        log_file(settings.log_dir, worker),
        max_bytes=settings.log_max_bytes,
        backups=settings.log_backups,
    )
    processors: list[Processor] = [JsonLine(clock.now)]
    if console is not None:
        processors.insert(0, _Console(console))
    _processors[:] = processors
    _relay.lead_to(sink)
    structlog.configure(
        processors=_processors,
        wrapper_class=logger_class(settings.log_level),
        logger_factory=lambda *_: _relay,
        cache_logger_on_first_use=True,
    )
    listen_to_libraries()
    return sink


class _Writer(Protocol):
    def __call__(self, line: bytes) -> None: ...


class _Relay:
    """What loggers write to. One for all time, since a cached logger never asks for another."""

    debug: _Writer
    info: _Writer
    warning: _Writer
    error: _Writer
    critical: _Writer

    def lead_to(self, sink: LogSink) -> None:
        self.debug = self.info = self.warning = sink.append
        self.error = self.critical = self.exception = sink.append_now


_relay = _Relay()
_processors: list[Processor] = []  # one list for all time, for the same reason


_FOR_THE_FILE = ("http.request", "http.open_to_this_machine", "http.serving", SAID)
"""Events that the console does not show: they are for the file, or the banner says the same."""


class _Console:
    """Shows the runner's own events as a person likes to read them."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        # The values in a traceback would be thousands of lines, and no business of a console's.
        self._render = ConsoleRenderer(
            colors=file.isatty(), pad_event_to=0, exception_formatter=plain_traceback
        )

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        single = "order_id" in event or event.get("event") in _FOR_THE_FILE
        if not single or method not in ("debug", "info", "warning"):
            shown = self._render(logger, method, {**event, "level": method})
            with suppress(OSError):  # as in LogSink: a full disk stops no order
                print(shown, file=self._file, flush=True)
        return event
