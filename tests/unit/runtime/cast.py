"""The actors that the runtime's tests put on stage."""

from typing import Any

from thespian.actors import Actor, ActorExitRequest, ActorSystemMessage


class Scripted(Actor):
    """Does what it is sent: a function of (self, sender). Keeps everything else in `seen`."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if callable(message):
            message(self, sender)
        else:
            self.seen.append(message)


class Recorder(Actor):
    """Appends (name, message) to a shared list; `name` is the first message it gets."""

    log: list[tuple[str, Any]] = []

    def __init__(self) -> None:
        self.name = ""

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if not self.name and isinstance(message, str):
            self.name = message
        elif isinstance(message, ActorSystemMessage):
            self.log.append((self.name, type(message).__name__))
        else:
            self.log.append((self.name, message))


class Fragile(Actor):
    """Raises on every message but an exit request, and counts the attempts."""

    attempts: list[Any] = []

    def receiveMessage(self, message: Any, sender: Any) -> None:
        if not isinstance(message, ActorExitRequest):
            self.attempts.append(message)
            raise ValueError(f"cannot bear {message!r}")


class Stillborn(Actor):
    """Cannot be made."""

    def __init__(self) -> None:
        raise ValueError("no")


def instance(base: Any, address: Any) -> Any:
    """The actor behind an address, to look at what it has seen."""
    return base.resolve(address).actor
