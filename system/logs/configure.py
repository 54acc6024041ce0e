"""Configures structlog for this process."""

from contextlib import suppress
from typing import Any, Protocol, TextIO

import structlog
from structlog.dev import ConsoleRenderer, plain_traceback
from structlog.typing import EventDict, Processor

from order_sagas.actors.clock import Clock
from order_sagas.actors.sagas import transition_log
from order_sagas.system.logs.files import log_file
from order_sagas.system.logs.json_renderer import JsonLine, with_exception
from order_sagas.system.logs.logger import logger_class
from order_sagas.system.logs.redact import redact
from order_sagas.system.logs.sink import LogSink
from order_sagas.system.logs.stdlib_logging import SAID, listen_to_libraries
from order_sagas.system.settings import Settings
from order_sagas.system.visible_text import visible


def configure_logging(
    settings: Settings, clock: Clock, *, worker: str | None = None, console: TextIO | None = None
) -> LogSink:
    """Send the log lines of this process to a file in `settings.log_dir`.

    `worker` names the file; processes that share the directory need different names. `console`, if
    given, also gets the system's own events and errors, but no lines about single orders or
    requests below level error, and no lines of libraries.

    Call it once, before the first line is logged, because loggers cache their level. A second call
    redirects all existing loggers to the new sink, and keeps that level.
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
    transition_log.bind_again()
    listen_to_libraries()
    return sink


class _Writer(Protocol):
    def __call__(self, line: bytes) -> None: ...


class _Relay:
    """The object that loggers write to. It is never replaced, because cached loggers keep it."""

    debug: _Writer
    info: _Writer
    warning: _Writer
    error: _Writer
    critical: _Writer

    def lead_to(self, sink: LogSink) -> None:
        self.debug = self.info = self.warning = sink.append
        self.error = self.critical = self.exception = sink.append_now


_relay = _Relay()
_processors: list[Processor] = []  # mutated, never replaced, for the same reason


_FOR_THE_FILE = ("http.request", "http.open_to_this_machine", "http.serving", SAID)
"""Events that are not shown on the console: too frequent, or already in the start banner."""


class _Console:
    """A structlog processor that prints selected events on the console in readable form."""

    def __init__(self, file: TextIO) -> None:
        # The stream itself: what is shown of an event is made visible here, and has colours.
        self._file: TextIO = getattr(file, "rich_proxied_file", file)
        self._render = ConsoleRenderer(
            colors=file.isatty(), pad_event_to=0, exception_formatter=plain_traceback
        )

    def __call__(self, logger: Any, method: str, event: EventDict) -> EventDict:
        single = "order_id" in event or event.get("event") in _FOR_THE_FILE
        if not single or method not in ("debug", "info", "warning"):
            if "exc_info" in event:
                event = with_exception(logger, method, event)
            redact(event)
            safe = {
                name: visible(value) if isinstance(value, str) else value
                for name, value in event.items()
            }
            shown = self._render(logger, method, {**safe, "level": method})
            with suppress(OSError):  # as in LogSink, a full disk must not stop processing
                print(shown, file=self._file, flush=True)
        return event
