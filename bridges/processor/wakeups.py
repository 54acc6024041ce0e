"""What a batch processor sends itself, now or after some seconds."""


class Proceed:
    """To itself: fill the open batch, or begin one if there is something to handle."""


class CommitAgain:
    """Wakeup: commit the batch of this number, if it is still the open one."""

    def __init__(self, number: int) -> None:
        self.number = number


class BeginAgain:
    """Wakeup: restore from the store, after a batch was broken off."""


class Drained:
    """Wakeup: wait no longer for running calls before the stop."""


class LookAgain:
    """Wakeup: read the pauses."""


class LookAtSchedules:
    """Wakeup: a schedule may be due."""


class Expire:
    """Wakeup: look for early replies that have been kept for long enough."""


class Prune:
    """Wakeup: prune a small part."""
