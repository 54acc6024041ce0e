"""The stored state of an effect in another system, and the messages of its service to itself."""

from typing import Any, ClassVar

import msgspec
from msgspec.structs import replace

from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import CallOutcome, Internal, Message

_json = msgspec.json.Encoder()


class Effect(Entity):
    """An effect in another system, as its service stores it.

    `code` and `reason` say why it failed or, while it is PENDING, why its last call did not
    succeed.
    """

    pending: ClassVar[str] = "PENDING"

    PENDING: ClassVar[str] = "PENDING"
    COMPLETED: ClassVar[str] = "COMPLETED"
    FAILED: ClassVar[str] = "FAILED"
    UNDONE: ClassVar[str] = "UNDONE"
    BLOCKED: ClassVar[str] = "BLOCKED"

    order_id: str
    status: str
    request: str = ""
    """The command that asks for the effect, as JSON. The call is made from it, also when it is
    repeated."""
    result: str = ""
    """The reply of the effect that was made, as JSON."""
    made: int = 0
    """The calls that made the effect, for the audit: at most 1."""
    undone: int = 0
    """The calls that undid it: at most `made`."""
    code: str = ""
    reason: str = ""
    command: str = ""
    """While PENDING, the command that has not been answered yet, as JSON."""
    updated_at: float = 0.0


class EffectSettled(CallOutcome):
    """The outcome of the call that makes an effect, or of the one that undoes it."""

    undo: bool = False
    value: Any = None
    """The result of a call that succeeded."""
    code: str = ""
    """If set, the call was declined."""
    reason: str = ""
    unknown: bool = False
    """True if it is unknown whether the call took effect."""


class EffectOwed(Internal):
    """An effect is stored as PENDING: repeat its call."""


def as_json(message: Message) -> str:
    """The message as it is stored with an effect."""
    return _json.encode(message).decode()


def owing(effect: Any, command: Message, now: float) -> Any:
    """The effect, PENDING, with the command that has to be answered."""
    return replace(effect, status=effect.pending, command=as_json(command), updated_at=now)


def refused(effect: Any, code: str, reason: str, now: float) -> Any:
    """The effect that was refused for good."""
    return replace(
        effect, status=effect.FAILED, code=code, reason=reason, command="", updated_at=now
    )
