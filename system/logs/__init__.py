"""Structured logs: JSON lines, buffered in memory and written once per batch.

Loggers are those of structlog: `log = structlog.get_logger()`, `log.info("saga.started", ...)`.
"""

from order_sagas.system.logs.configure import configure_logging
from order_sagas.system.logs.files import log_files
from order_sagas.system.logs.sink import LogSink

__all__ = ["LogSink", "configure_logging", "log_files"]
