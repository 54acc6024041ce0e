"""When the next external call of a pool may begin: the rate limit and the circuit breaker."""

from order_sagas.actors.services.call_limits import CallLimits


class CallGate:
    """Keeps the limits `per_second` and `failures` of a pool; `now` is monotonic, in seconds.

    The circuit opens after `failures` calls without an answer in a row. After `open_for` seconds
    one call may begin, the probe; no other begins until it is over. Its answer closes the circuit.
    """

    def __init__(self, limits: CallLimits) -> None:
        self._pause = 1.0 / limits.per_second if limits.per_second else 0.0
        self._most_failures = limits.failures
        self._open_for = limits.open_for
        self._next = 0.0
        self._failed = 0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """True while the circuit is open: too many calls in a row got no answer."""
        return bool(self._most_failures) and self._failed >= (self._most_failures or 0)

    def wait(self, now: float) -> float | None:
        """Seconds until a call may begin: 0.0 for now, None until a call has ended."""
        if self._probing:
            return None
        return max(0.0, self._next - now)

    def begin(self, now: float) -> None:
        """Note that a call begins."""
        self._next = now + self._pause
        self._probing = self.is_open

    def end(self, now: float, *, answered: bool) -> bool:
        """Note that a call is over. Returns True if the circuit opened or closed by it."""
        was_open, self._probing = self.is_open, False
        self._failed = 0 if answered else self._failed + 1
        if self.is_open:
            self._next = max(self._next, now + self._open_for)
        elif was_open:
            self._next = now + self._pause
        return was_open != self.is_open
