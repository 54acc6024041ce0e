"""The entry point of a child process: runs a worker or the HTTP server, by its first message."""

import os
import signal
import socket
import sys
import threading
from queue import SimpleQueue
from typing import Any, NoReturn, Protocol

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.system.supervision.channel import Channel, ChannelError
from order_sagas.system.supervision.messages import (
    AskMetrics,
    AskStatus,
    ChildMetrics,
    ChildStatus,
    Failed,
    Finished,
    RunWorker,
    Shutdown,
    Started,
    ToChild,
)

LONGEST_REASON = 4000
"""Characters of a reason that are sent; a database error can include a whole batch of values."""


class Part(Protocol):
    """The part of the system that a child process runs."""

    def status(self) -> ChildStatus:
        """Return the state of the process."""
        ...

    def metrics(self) -> ChildMetrics:
        """Return the metrics of the process."""
        ...

    def stop(self) -> bool:
        """Finish the current work; return True if everything was finished in time."""
        ...


def main() -> None:
    """Run until the supervisor sends `Shutdown`, or until its end of the channel is closed.

    The arguments are a name (for `ps`), the descriptors of the channel and of the run's lock, and
    the import path. The exit status is 0 after `Shutdown` and 1 otherwise.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the first process handles them, and sends `Shutdown`
    channel_fd, lock_fd = map(int, sys.argv[2:4])
    os.set_inheritable(lock_fd, False)  # processes that a worker starts do not belong to the run
    channel = Channel(socket.socket(fileno=channel_fd), ToChild)
    try:
        _run(channel)
    except BaseException as error:
        fail(channel, error)


def fail(channel: Channel, error: BaseException) -> NoReturn:
    """Send the reason to the supervisor, if possible, and exit at once with status 1.

    The process exits even if sending fails: a broken worker that does not exit would not be
    restarted, and its sagas would not continue.
    """
    try:
        reason = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        outage = isinstance(error, StoreUnavailableError)
        channel.send(Failed(reason.encode(errors="replace").decode(), outage))
    finally:
        os._exit(1)


def _run(channel: Channel) -> None:
    first = channel.receive()
    if first is None:
        os._exit(1)
    requests: SimpleQueue[Any] = SimpleQueue()
    threading.Thread(
        target=_receive, args=(channel, requests), name="supervisor channel", daemon=True
    ).start()
    part = _started(channel, first)
    channel.send(Started())
    while True:
        match requests.get():
            case AskStatus():
                channel.send(part.status())
            case AskMetrics():
                channel.send(part.metrics())
            case Shutdown():
                channel.send(Finished(part.stop()))
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(0)  # does not wait for threads with external calls


def _receive(channel: Channel, requests: SimpleQueue[Any]) -> None:
    """Pass requests to the main thread, and exit when the first process has ended."""
    try:
        while (message := channel.receive()) is not None:
            requests.put(message)
    except (ChannelError, OSError):
        pass  # handled like the end of the channel
    finally:
        os._exit(1)


def _started(channel: Channel, first: Any) -> Part:
    def failed(error: BaseException) -> None:
        fail(channel, error)

    # Imported here, since each part has dependencies that the other does not need.
    if isinstance(first, RunWorker):
        from order_sagas.system.supervision.worker import Worker

        return Worker(first, failed)
    from order_sagas.system.supervision.http_process import HttpProcess

    return HttpProcess(first, failed)
