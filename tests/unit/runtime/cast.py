"""Actors for the tests of the runtime."""

from typing import Any

from thespian.actors import Actor, ActorExitRequest, ActorSystemMessage


class Scripted(Actor):
    """Calls functions of (self, sender) that it is sent. Stores other messages in `seen`."""

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


class FailsToStart(Actor):
    """Raises in its constructor."""

    def __init__(self) -> None:
        raise ValueError("no")


def instance(base: Any, address: Any) -> Any:
    """Return the actor with this address, to inspect it."""
    return base.resolve(address).actor
