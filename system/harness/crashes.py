"""Points that a worker comes to, and what is planned there: a crash, a pause, a rebalance."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from thespian.actors import WakeupMessage

from order_sagas.system.harness.faults import Crash
from order_sagas.system.runtime.policies import Envelope, Mailbox

if TYPE_CHECKING:
    from order_sagas.system.harness.simulated_worker import Worker

IN_MAILBOX = frozenset(("before send", "after send", "before message", "before wakeup"))
"""Points that only a watched mailbox sees."""

Act = Callable[["Worker"], None]
"""Done to the worker that comes to a point, while it is there."""


class Crashed(BaseException):
    """The worker is dead. No handler may catch it: a dead process handles nothing."""

    def __init__(self, down: float) -> None:
        super().__init__()
        self.down = down


class CrashPoints:
    """Counts the points that are reached, over all lives of all workers, and acts at some."""

    def __init__(self) -> None:
        self.reached: Counter[str] = Counter()
        self.crashed = 0
        """How many planned crashes there were."""
        self.armed = False
        """Whether a worker is at work: only then it can come to a point."""
        self._planned: dict[tuple[str, int], list[Act]] = {}

    def plan(self, crash: Crash) -> None:
        """Crash there, counted from now on."""

        def die(worker: "Worker") -> None:
            self.crashed += 1
            raise Crashed(crash.down)

        self.plan_act(crash.point, crash.nth, die)

    def plan_act(self, point: str, nth: int, act: Act) -> None:
        """Do this to the worker that comes to a point for the nth time, counted from now on."""
        self._planned.setdefault((point, self.reached[point] + nth), []).append(act)

    def clear(self) -> None:
        """Act nowhere."""
        self._planned.clear()

    @property
    def needs_mailbox(self) -> bool:
        """Whether something is planned between messages."""
        return any(point in IN_MAILBOX for point, _ in self._planned)

    @contextmanager
    def disarmed(self) -> Iterator[None]:
        """Nobody is at work for now: what is done meanwhile brings no worker to a point."""
        armed, self.armed = self.armed, False
        try:
            yield
        finally:
            self.armed = armed

    def reach(self, point: str, worker: "Worker") -> None:
        """A worker has come to this point; raises Crashed if it dies here."""
        if not self.armed:
            return
        self.reached[point] += 1
        for act in self._planned.pop((point, self.reached[point]), ()):
            act(worker)


class WatchedMailbox:
    """A mailbox that tells of each message when it is sent, and just before it is handled."""

    def __init__(self, mailbox: Mailbox, reach: Callable[[str], None]) -> None:
        self._mailbox = mailbox
        self._reach = reach
        self.clear = mailbox.clear

    def append(self, envelope: Envelope, /) -> None:
        if isinstance(envelope[2], WakeupMessage):
            self._mailbox.append(envelope)
            return
        self._reach("before send")
        self._mailbox.append(envelope)
        self._reach("after send")

    def popleft(self) -> Envelope:
        envelope = self._mailbox.popleft()
        wakeup = isinstance(envelope[2], WakeupMessage)
        self._reach("before wakeup" if wakeup else "before message")
        return envelope

    def __len__(self) -> int:
        return len(self._mailbox)

    def __iter__(self) -> Any:
        return iter(self._mailbox)
