"""The states of a batch processor, and which may follow which."""

from enum import Enum


class State(Enum):
    """The state of a batch processor. It has a batch in OPEN and COMMITTING, and none in IDLE."""

    IDLE = "idle"
    """No batch is open: shards may be claimed and released."""
    OPEN = "open"
    """A batch is open: its deliveries are acknowledged."""
    COMMITTING = "committing"
    """Every delivery is acknowledged, and the batch waits for the database."""
    AWAY = "away"
    """A batch was broken off; after a pause, actors are restored from the store."""
    STOPPED = "stopped"
    """It was stopped, or has failed: no batch begins any more."""

    def may_become(self, state: "State") -> bool:
        """Whether the transition is allowed."""
        return state in _NEXT[self]


_NEXT = {
    State.IDLE: {State.OPEN, State.AWAY, State.STOPPED},
    State.OPEN: {State.IDLE, State.COMMITTING, State.AWAY, State.STOPPED},
    State.COMMITTING: {State.IDLE, State.COMMITTING, State.AWAY, State.STOPPED},
    State.AWAY: {State.IDLE, State.AWAY, State.STOPPED},
    State.STOPPED: {State.STOPPED},
}
