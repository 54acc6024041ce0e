"""The loggers of services, loaded at their first line.

Commands load an app with its services and log nothing; structlog takes a tenth of their start.
"""

from functools import cache
from typing import Any


@cache
def logger_of(name: str) -> Any:
    """Return the logger with this name, bound to the configuration at the first use."""
    import structlog

    return structlog.get_logger(name)
