"""Calls to the outside world: made after a commit, and never on the loop's thread."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from actors.delivery import Call
from actors.messages import Message

Done = Callable[[Message], None]
"""Takes an outcome back to the bridge; safe to call from any thread."""


class Outside(Protocol):
    """Something that makes calls."""

    def make(self, call: Call, done: Done) -> None:
        """Make the call, some time, and report its outcome; an exception is an outcome."""

    def close(self) -> None:
        """Begin no more calls; those that did not report are issued again at the next start."""


class ThreadedOutside:
    """Makes calls on a few threads of its own."""

    def __init__(self, threads: int = 8) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="outside")

    def make(self, call: Call, done: Done) -> None:
        self._pool.submit(lambda: done(outcome_of(call)))

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class ImmediateOutside:
    """Makes each call at once, where it stands: for simulations, whose outside is simulated too."""

    def make(self, call: Call, done: Done) -> None:
        done(outcome_of(call))

    def close(self) -> None:
        """Nothing is open."""


def outcome_of(call: Call) -> Message:
    """Make the call; the message that its result or its exception becomes."""
    try:
        result = call.make()
    except Exception as error:
        return call.then(None, error)  # type: ignore[no-any-return]
    return call.then(result, None)  # type: ignore[no-any-return]
