"""Controls that inject faults into one service of a harness."""

from typing import Protocol

from order_sagas.system.harness.faults import (
    FOREVER,
    AnswersTwice,
    Declines,
    Fault,
    LosesReplies,
    Raises,
    Silent,
    Slow,
)


class FaultSwitch(Protocol):
    """The part of a `Harness` that puts faults in and out of force."""

    @property
    def elapsed(self) -> float:
        """Virtual seconds since the start."""
        ...

    def on(self, *faults: Fault) -> None:
        """Put faults in force."""
        ...

    def off(self, *faults: Fault) -> None:
        """Take faults out of force."""
        ...


class ServiceControl:
    """Makes one service misbehave from now on, for `seconds` or until `recovers()`.

    With `order`, only messages about that order are affected.
    """

    def __init__(self, harness: FaultSwitch, name: str) -> None:
        self._harness = harness
        self.name = name
        self._faults: list[Fault] = []

    def goes_silent(self, seconds: float = FOREVER, *, order: str = "", undo: bool = False) -> None:
        """Ignore commands. Compensations are still executed, unless `undo`."""
        since, until = self._span(seconds)
        self._do(Silent(self.name, order, since, until, undo=undo))

    def declines(self, seconds: float = FOREVER, *, order: str = "") -> None:
        """Refuse commands, with the failure reply of their step.

        Raises LookupError if no step of the service has one.
        """
        since, until = self._span(seconds)
        self._do(Declines(self.name, order, since, until))

    def loses_replies(self, seconds: float = FOREVER, *, order: str = "") -> None:
        """Execute commands, but lose the replies."""
        since, until = self._span(seconds)
        self._do(LosesReplies(self.name, order, since, until))

    def answers_late(self, after: float, seconds: float = FOREVER, *, order: str = "") -> None:
        """Delay replies by `after` seconds."""
        since, until = self._span(seconds)
        self._do(Slow(self.name, order, since, until, seconds=after))

    def answers_twice(
        self, seconds: float = FOREVER, *, order: str = "", later: float = 0.0
    ) -> None:
        """Send each reply a second time, `later` seconds after the first."""
        since, until = self._span(seconds)
        self._do(AnswersTwice(self.name, order, since, until, later=later))

    def raises(self, times: int = 1, *, order: str = "", status: str = "") -> None:
        """Raise in the handler `times` times; two failures on a record make it a dead letter."""
        self._do(Raises(self.name, order, status=status, times=times))

    def recovers(self) -> None:
        """Remove all faults that this object has set."""
        while self._faults:
            self._harness.off(self._faults.pop())

    def _span(self, seconds: float) -> tuple[float, float]:
        now = self._harness.elapsed
        return now, min(now + seconds, FOREVER)

    def _do(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._harness.on(fault)
