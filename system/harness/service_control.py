"""A service of a harness, to be made to misbehave."""

from typing import TYPE_CHECKING

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

if TYPE_CHECKING:
    from order_sagas.system.harness.harness import Harness


class ServiceControl:
    """What one service does wrong, from now on: for `seconds`, or until it `recovers`.

    With `order`, only that order meets with it.
    """

    def __init__(self, harness: "Harness", name: str) -> None:
        self._harness = harness
        self.name = name
        self._faults: list[Fault] = []

    def goes_silent(self, seconds: float = FOREVER, *, order: str = "", undo: bool = False) -> None:
        """It hears no command. Compensations it carries out, unless `undo`."""
        since, until = self._span(seconds)
        self._do(Silent(self.name, order, since, until, undo=undo))

    def declines(self, seconds: float = FOREVER, *, order: str = "") -> None:
        """It refuses what it is asked: payments and reservations only."""
        since, until = self._span(seconds)
        self._do(Declines(self.name, order, since, until))

    def loses_replies(self, seconds: float = FOREVER, *, order: str = "") -> None:
        """It does what it is told, and its answers are lost."""
        since, until = self._span(seconds)
        self._do(LosesReplies(self.name, order, since, until))

    def answers_late(self, after: float, seconds: float = FOREVER, *, order: str = "") -> None:
        """Its answers take `after` seconds."""
        since, until = self._span(seconds)
        self._do(Slow(self.name, order, since, until, seconds=after))

    def answers_twice(
        self, seconds: float = FOREVER, *, order: str = "", later: float = 0.0
    ) -> None:
        """Each of its answers comes once more, `later` seconds after the first."""
        since, until = self._span(seconds)
        self._do(AnswersTwice(self.name, order, since, until, later=later))

    def raises(self, times: int = 1, *, order: str = "", status: str = "") -> None:
        """Its handler raises so many times; twice on one record makes that a dead letter."""
        self._do(Raises(self.name, order, status=status, times=times))

    def recovers(self) -> None:
        """It is well again."""
        while self._faults:
            self._harness.off(self._faults.pop())

    def _span(self, seconds: float) -> tuple[float, float]:
        now = self._harness.elapsed
        return now, min(now + seconds, FOREVER)

    def _do(self, fault: Fault) -> None:
        self._faults.append(fault)
        self._harness.on(fault)
