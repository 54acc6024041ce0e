"""Waits in the main thread for a reason to stop: a signal, a request, or a failure."""

import signal
import socket
from contextlib import suppress
from queue import SimpleQueue
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopRequests:
    """A queue of reasons to stop, in order of arrival.

    Within its context, the first SIGINT or SIGTERM is such a reason, by its name; a second one ends
    the process immediately, also after the context. Use it in the main thread; `put` may be called
    from any thread.

    No signal is missed. A signal that arrives just before a thread waits for a lock, as
    `SimpleQueue.get` does, would not wake it, because Python handlers run between bytecodes. So
    `get` waits on a socket, to which Python's signal handler writes.
    """

    def __init__(self) -> None:
        self._reasons: SimpleQueue[str] = SimpleQueue()
        self._wakes, self._waker = socket.socketpair()
        self._waker.setblocking(False)
        self._former = -1

    def put(self, reason: str) -> None:
        """Add a reason, which `get` returns. May be called from any thread."""
        self._reasons.put(reason)
        with suppress(OSError):  # full of wakes that are not read yet, or closed
            self._waker.send(b"\0")

    def get(self) -> str:
        """Wait for the next reason and return it."""
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
