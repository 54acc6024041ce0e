"""Messages that no log carries, waiting for a batch: outcomes of calls, and owed calls to issue."""

from collections import deque
from collections.abc import Iterable

import msgspec

from actors.delivery import CallId
from actors.messages import Message

MOST_ASIDE = 10_000
"""Outcomes that are kept for shards of other workers, in case those come back."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """A message for a service, and the call that it is the outcome of, if it is one.

    A message that is no outcome (a reminder of what is owed, a timer's) only repeats what the
    entity says that it is about: it may be dropped, and is made again from what is stored.
    """

    message: Message
    call: CallId | None = None
    failed: bool = False
    """Whether the call did not do what was asked, or nobody knows whether it did."""


class OutcomeQueue:
    """First in, first out; each batch takes as many as it has room for.

    Its size is bounded from outside: at most the capacity of `ExternalCalls` are outcomes, and what
    is owed is read from the database at most a batch at a time.
    """

    def __init__(self, most_aside: int = MOST_ASIDE) -> None:
        self._waiting: deque[Outcome] = deque()
        self._deferred: list[Outcome] = []
        """For services that are paused."""
        self._aside: deque[Outcome] = deque()
        """For shards that are not this worker's."""
        self._most_aside = most_aside

    def __len__(self) -> int:
        """How many wait for a batch, without those deferred or set aside."""
        return len(self._waiting)

    def put(self, outcome: Outcome) -> None:
        """Add one at the end."""
        self._waiting.append(outcome)

    def pop(self) -> Outcome:
        """Take the first; raises IndexError if none waits."""
        return self._waiting.popleft()

    def give_back(self, outcomes: Iterable[Outcome]) -> None:
        """Put back, in front and in their order, those that a batch took and did not commit."""
        self._waiting.extendleft(reversed([each for each in outcomes if each.call]))

    def drop_reminders(self) -> None:
        """Drop all that is not the outcome of a call: it will be read again from the database."""
        self._waiting = deque(each for each in self._waiting if each.call)
        self._deferred = [each for each in self._deferred if each.call]

    def defer(self, outcome: Outcome) -> None:
        """Keep one for a paused service, until `resume`."""
        self._deferred.append(outcome)

    def resume(self) -> None:
        """Put the deferred ones in front: pauses have changed."""
        self._waiting.extendleft(reversed(self._deferred))
        self._deferred.clear()

    def set_aside(self, outcome: Outcome) -> Outcome | None:
        """Keep one for a shard that is not ours; answers an outcome that is given up for it.

        A reminder is dropped: the owner of the shard reads from the database what is owed.
        """
        if outcome.call is None:
            return None
        self._aside.append(outcome)
        return self._aside.popleft() if len(self._aside) > self._most_aside else None

    def bring_back(self) -> None:
        """Put those that were set aside in front: some of their shards are ours again."""
        self._waiting.extendleft(reversed(self._aside))
        self._aside.clear()
