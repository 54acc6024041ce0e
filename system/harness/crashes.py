"""Where a worker may die: points are counted as they are reached."""

from collections import Counter
from typing import Any

from thespian.actors import WakeupMessage

from order_sagas.system.harness.faults import Crash
from order_sagas.system.runtime.policies import Envelope, Mailbox

IN_MAILBOX = frozenset(("before send", "after send", "before message", "before wakeup"))
"""Points that only a watched mailbox sees."""


class Crashed(BaseException):
    """The worker is dead. No handler may catch it: a dead process handles nothing."""

    def __init__(self, down: float) -> None:
        super().__init__()
        self.down = down


class CrashPoints:
    """Counts the points that are reached, over all lives of the worker, and crashes at some."""

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()
        self.crashed = 0
        """How many planned crashes there were."""
        self.armed = False
        """Whether the worker is at work: only then it can come to a point."""
        self._planned: dict[tuple[str, int], float] = {}

    def plan(self, crash: Crash) -> None:
        """Crash there, counted from now on."""
        self._planned[crash.point, self.reached[crash.point] + crash.nth] = crash.down

    def clear(self) -> None:
        """Crash nowhere."""
        self._planned.clear()

    @property
    def needs_mailbox(self) -> bool:
        """Whether a planned crash is between messages."""
        return any(point in IN_MAILBOX for point, _ in self._planned)

    def reach(self, point: str) -> None:
        """The worker has come to this point; raises Crashed if it dies here."""
        if not self.armed:
            return
        self.reached[point] += 1
        down = self._planned.pop((point, self.reached[point]), None)
        if down is not None:
            self.crashed += 1
            raise Crashed(down)


class WatchedMailbox:
    """A mailbox that tells of each message when it is sent, and just before it is handled."""

    def __init__(self, mailbox: Mailbox, points: CrashPoints) -> None:
        self._mailbox = mailbox
        self._points = points
        self.clear = mailbox.clear

    def append(self, envelope: Envelope, /) -> None:
        if isinstance(envelope[2], WakeupMessage):
            self._mailbox.append(envelope)
            return
        self._points.reach("before send")
        self._mailbox.append(envelope)
        self._points.reach("after send")

    def popleft(self) -> Envelope:
        envelope = self._mailbox.popleft()
        wakeup = isinstance(envelope[2], WakeupMessage)
        self._points.reach("before wakeup" if wakeup else "before message")
        return envelope

    def __len__(self) -> int:
        return len(self._mailbox)

    def __iter__(self) -> Any:
        return iter(self._mailbox)
