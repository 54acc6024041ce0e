"""What a call to another system can result in, besides success and an exception."""

from typing import Any, NamedTuple


class Declined(NamedTuple):
    """The call was refused: it had no effect, and never will have one for its key."""

    code: str
    reason: str


class NoAnswer(NamedTuple):
    """There was no answer: it is unknown whether the call took effect."""


class After(NamedTuple):
    """A local client answers `outcome` after this many seconds."""

    seconds: float
    outcome: Any
