"""Waiting in the main thread for what ends a process: a signal, a request, or a failure."""

import signal
import socket
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """Reasons to stop, in the order in which they came.

    Within its context the first SIGINT or SIGTERM is such a reason, by its name; a second one ends
    the process at once, also after the context. Use it in the main thread; `put` is for any thread.

    No signal is missed. A thread that waits for a lock, as `SimpleQueue.get` does, is not woken by
    a signal that arrives when it is about to wait, since Python only takes a note of it; so `get`
    waits for a socket, to which Python writes when a signal arrives.
    """

    def __init__(self) -> None:
        self._reasons: SimpleQueue[str] = SimpleQueue()
        self._wakes, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._former = -1

    def put(self, reason: str) -> None:
        """Make `get` return this reason."""
        self._reasons.put(reason)
        with suppress(OSError):  # full of wakes that have yet to be read, or closed
            self._waker.send(b"\0")

    def get(self) -> str:
        """Wait for the next reason."""
        while self._reasons.empty():
            self._wakes.recv(64)
        return self._reasons.get()

    def __enter__(self) -> "StopRequests":
        self._former = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        for each in SIGNALS:
            signal.signal(each, self._signalled)
        return self

    def __exit__(self, *_: object) -> None:
        signal.set_wakeup_fd(self._former)
        self._waker.close()
        self._wakes.close()

    def _signalled(self, number: int, _: Any) -> None:
        for each in SIGNALS:
            signal.signal(each, signal.SIG_DFL)
        self.put(signal.Signals(number).name)
