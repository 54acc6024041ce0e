"""Limits of the calls to another system: how many, how often, how long, and after failures."""

from typing import Any

import attrs

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.field_checks import shown


def _positive(limits: Any, attribute: Any, value: float | None) -> None:
    if value is not None and not isinstance(value, int | float):
        raise DefinitionError(f"CallLimits: {attribute.name} must be a number, not {shown(value)}")
    if value is not None and value <= 0:
        raise DefinitionError(f"CallLimits: {attribute.name} must be positive, not {value}")


@attrs.frozen(kw_only=True)
class CallLimits:
    """The limits of calls that share a pool of threads, in each worker.

    A call that has to wait for one of them is not made and not lost: it waits in its pool, and
    its step's deadline runs. Raises DefinitionError if a value is not positive.
    """

    pool: str = ""
    """The pool. Services that name the same one share its limits. Empty: a pool for the service."""
    at_once: int | None = attrs.field(default=None, validator=_positive)
    """The calls that are made at the same time. None: 8."""
    per_second: float | None = attrs.field(default=None, validator=_positive)
    """The calls that are begun in a second, evenly spaced. None: as many as there are."""
    timeout: float | None = attrs.field(default=None, validator=_positive)
    """Seconds after which a call counts as not answered, although its thread still waits. None:
    only the client's own timeout ends a call."""
    failures: int | None = attrs.field(default=None, validator=_positive)
    """The circuit breaker: after this many calls without an answer in a row, the circuit opens and
    no call is begun for `open_for` seconds. Then one is tried; its answer closes the circuit.
    None: no circuit breaker. A refusal is an answer."""
    open_for: float = attrs.field(default=30.0, validator=_positive)
    """Seconds that the circuit stays open."""


UNLIMITED = CallLimits()
"""A pool for the service, with 8 threads."""
