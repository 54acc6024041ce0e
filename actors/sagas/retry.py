"""Retry policies: exponential backoff with deterministic jitter."""

import zlib

import attrs


@attrs.frozen
class Retry:
    """Send at most `attempts` times; before repeat n wait `backoff * factor ** (n - 1)` seconds.

    The wait is at most `longest` seconds, and is shortened by a share of up to `jitter`, so that
    sagas that timed out together do not retry at the same moment. The jitter is computed from the
    saga id, the step and the attempt, so a replay waits just as long.
    """

    attempts: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    backoff: float = attrs.field(default=0.5, validator=attrs.validators.ge(0))
    factor: float = attrs.field(default=2.0, validator=attrs.validators.ge(1))
    longest: float = attrs.field(default=60.0, validator=attrs.validators.ge(0))
    jitter: float = attrs.field(
        default=0.2, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )

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
