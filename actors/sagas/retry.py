"""When to send again: exponential backoff, with jitter that a replay repeats."""

import zlib

import attrs


@attrs.frozen
class Retry:
    """At most `attempts` sends; before the n-th repeat, wait `backoff * factor ** (n - 1)` seconds.

    The wait is at most `longest` seconds, and up to the share `jitter` of it is taken off, so that
    a thousand sagas that timed out together do not knock together again. The jitter comes from
    the saga's id, step and attempt: the same saga waits the same time in every replay.
    """

    attempts: int = attrs.field(default=3, validator=attrs.validators.ge(1))
    backoff: float = attrs.field(default=0.5, validator=attrs.validators.ge(0))
    factor: float = attrs.field(default=2.0, validator=attrs.validators.ge(1))
    longest: float = attrs.field(default=60.0, validator=attrs.validators.ge(0))
    jitter: float = attrs.field(
        default=0.2, validator=[attrs.validators.ge(0), attrs.validators.le(1)]
    )

    def wait_after(self, attempt: int, seed: str) -> float | None:
        """Seconds to wait after `attempt` failed, or None when no attempts are left.

        Attempts are counted on when an operator asks for another set: with three of them, the
        third and the sixth are the last of theirs.
        """
        turn = (attempt - 1) % self.attempts + 1
        if turn == self.attempts:
            return None
        try:
            wait = min(self.backoff * self.factor ** (turn - 1), self.longest)
        except OverflowError:  # after a thousand attempts or so
            wait = self.longest if self.backoff else 0.0
        share = zlib.crc32(f"{seed}/{attempt}".encode()) / 2**32
        return wait * (1 - self.jitter * share)


ONCE = Retry(attempts=1)
"""Send once; a deadline that passes is final."""
