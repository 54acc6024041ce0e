"""Retry policies: exponential backoff with deterministic jitter."""

import zlib
from typing import Any

import attrs

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.field_checks import shown


def _number(least: float, most: float = float("inf"), kind: Any = (int, float)) -> Any:
    """A validator of attrs for a number, or with `int` as its kind for a whole number."""

    def check(_: Any, attribute: Any, value: Any) -> None:
        if not isinstance(value, kind) or not least <= value <= most:
            what = "a whole number" if kind is int else "a number"
            range_ = f"from {least} to {most}" if most <= 1 else f"of {least} or more"
            raise DefinitionError(
                f"Retry: `{attribute.name}` must be {what} {range_}, not {shown(value)}"
            )

    return check


@attrs.frozen
class Retry:
    """Send at most `attempts` times; before repeat n wait `backoff * factor ** (n - 1)` seconds.

    The wait is at most `longest` seconds, and is shortened by a share of up to `jitter`, so that
    sagas that timed out together do not retry at the same moment. The jitter is computed from the
    saga id, the step and the attempt, so a replay waits just as long.

    Raises DefinitionError if a field is wrong.
    """

    attempts: int = attrs.field(default=3, validator=_number(1, kind=int))
    backoff: float = attrs.field(default=0.5, validator=_number(0))
    factor: float = attrs.field(default=2.0, validator=_number(1))
    longest: float = attrs.field(default=60.0, validator=_number(0))
    jitter: float = attrs.field(default=0.2, validator=_number(0, 1))

    def wait_after(self, attempt: int, seed: str) -> float | None:
        """Seconds to wait after `attempt` timed out, or None if no attempts are left.

        Attempts go on counting when an operator retries a step: with `attempts=3`, the third and
        the sixth attempt are the last of their sets.
        """
        turn = (attempt - 1) % self.attempts + 1
        if turn == self.attempts:
            return None
        try:
            wait = min(self.backoff * self.factor ** (turn - 1), self.longest)
        except OverflowError:  # after about a thousand attempts
            wait = self.longest if self.backoff else 0.0
        share = zlib.crc32(f"{seed}/{attempt}".encode()) / 2**32
        return wait * (1 - self.jitter * share)


ONCE = Retry(attempts=1)
"""Send once; there is no retry after a timeout."""
