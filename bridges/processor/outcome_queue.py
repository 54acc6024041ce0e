"""Queue of messages that no log has: outcomes of external calls, and reminders of pending ones."""

from collections import deque
from collections.abc import Iterable

import msgspec

from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import CallId

MOST_ASIDE = 10_000
"""Maximum number of outcomes kept for shards that are no longer owned."""


class Outcome(msgspec.Struct, frozen=True, gc=False):
    """A message for a service, and the id of the call of which it is the outcome, if it is one.

    Any other message (a reminder of a pending call, one of a timer) follows from the stored entity:
    it may be dropped, and is created again.
    """

    message: Message
    call: CallId | None = None
    failed: bool = False
    """Whether the call failed, or its outcome is unknown."""


class OutcomeQueue:
    """First in, first out; a batch takes as many as it has room for.

    Its callers bound its size: at most the capacity of `ExternalCalls` are outcomes, and reminders
    are read from the database at most a batch at a time.
    """

    def __init__(self, most_aside: int = MOST_ASIDE) -> None:
        self._waiting: deque[Outcome] = deque()
        self._deferred: list[Outcome] = []
        """Items for paused services."""
        self._aside: deque[Outcome] = deque()
        """Outcomes for shards that are not owned."""
        self._most_aside = most_aside

    def __len__(self) -> int:
        """Return the number of items that wait for a batch, without deferred and set-aside ones."""
        return len(self._waiting)

    def put(self, outcome: Outcome) -> None:
        """Append an item."""
        self._waiting.append(outcome)

    def pop(self) -> Outcome:
        """Remove and return the first item. Raises IndexError if there is none."""
        return self._waiting.popleft()

    def give_back(self, outcomes: Iterable[Outcome]) -> None:
        """Put outcomes back in front, in their order: their batch was rolled back."""
        self._waiting.extendleft(reversed([each for each in outcomes if each.call]))

    def drop_reminders(self) -> None:
        """Drop all reminders: they will be read from the database again."""
        self._waiting = deque(each for each in self._waiting if each.call)
        self._deferred = [each for each in self._deferred if each.call]

    def defer(self, outcome: Outcome) -> None:
        """Keep an item for a paused service until `resume`."""
        self._deferred.append(outcome)

    def resume(self) -> None:
        """Put deferred items back in front, since pauses have changed."""
        self._waiting.extendleft(reversed(self._deferred))
        self._deferred.clear()

    def set_aside(self, outcome: Outcome) -> Outcome | None:
        """Keep an outcome for a shard that is not owned; return the one dropped for it, if any.

        A reminder is dropped: the owner of the shard reads pending calls from the database.
        """
        if outcome.call is None:
            return None
        self._aside.append(outcome)
        return self._aside.popleft() if len(self._aside) > self._most_aside else None

    def bring_back(self) -> None:
        """Put set-aside outcomes back in front, since shards were gained."""
        self._waiting.extendleft(reversed(self._aside))
        self._aside.clear()
