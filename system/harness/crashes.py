"""Named points in a worker's execution, and actions planned at them: crash, pause, rebalance."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from thespian.actors import WakeupMessage

from order_sagas.system.harness.faults import Crash
from order_sagas.system.runtime.policies import Envelope, Mailbox

IN_MAILBOX = frozenset(("before send", "after send", "before message", "before wakeup"))
"""Points that need a watched mailbox."""

Act = Callable[[Any], None]
"""An action at a point, called with the `Worker` that has reached it, while it is there."""


class Crashed(BaseException):
    """The worker has crashed; `down` is the number of seconds until its restart.

    It is a BaseException, so that no handler of an actor catches it.
    """

    def __init__(self, down: float) -> None:
        super().__init__()
        self.down = down


class CrashPoints:
    """Counts reached points, over all lives of all workers, and runs the planned actions."""

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()
        self.crashed = 0
        """Number of planned crashes that happened."""
        self.armed = False
        """True while a worker runs; only then points are counted."""
        self._planned: dict[tuple[str, int], list[Act]] = {}

    def plan(self, crash: Crash) -> None:
        """Plan a crash; occurrences of the point are counted from now on."""

        def die(_: object) -> None:
            self.crashed += 1
            raise Crashed(crash.down)

        self.plan_act(crash.point, crash.nth, die)

    def plan_act(self, point: str, nth: int, act: Act) -> None:
        """Plan an action at the nth occurrence of a point, counted from now on."""
        self._planned.setdefault((point, self.reached[point] + nth), []).append(act)

    def clear(self) -> None:
        """Remove all planned actions."""
        self._planned.clear()

    @property
    def needs_mailbox(self) -> bool:
        """True if an action is planned at a point between messages."""
        return any(point in IN_MAILBOX for point, _ in self._planned)

    @contextmanager
    def disarmed(self) -> Iterator[None]:
        """Do not count points inside this context."""
        armed, self.armed = self.armed, False
        try:
            yield
        finally:
            self.armed = armed

    def reach(self, point: str, worker: object) -> None:
        """Count a point that a worker has reached; raises Crashed if a crash is planned here."""
        if not self.armed:
            return
        self.reached[point] += 1
        for act in self._planned.pop((point, self.reached[point]), ()):
            act(worker)


class WatchedMailbox:
    """A mailbox that reports a point before and after each send, and before each message."""

    def __init__(self, mailbox: Mailbox, reach: Callable[[str], None]) -> None:
        self._mailbox = mailbox
        self._reach = reach
        self.clear = mailbox.clear

    def append(self, envelope: Envelope, /) -> None:
        """Append a message. Reports "before send" and "after send", except for wakeups."""
        if isinstance(envelope[2], WakeupMessage):
            self._mailbox.append(envelope)
            return
        self._reach("before send")
        self._mailbox.append(envelope)
        self._reach("after send")

    def popleft(self) -> Envelope:
        """Remove and return the first message. Reports "before message" or "before wakeup"."""
        envelope = self._mailbox.popleft()
        wakeup = isinstance(envelope[2], WakeupMessage)
        self._reach("before wakeup" if wakeup else "before message")
        return envelope

    def __len__(self) -> int:
        return len(self._mailbox)

    def __iter__(self) -> Any:
        return iter(self._mailbox)
