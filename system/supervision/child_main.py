"""The entry point of a child process: runs a worker, or serves HTTP, as its first message says."""

import os
import signal
import socket
import sys
import threading
from queue import SimpleQueue
from typing import Any, NoReturn, Protocol

from system.supervision.channel import Channel, ChannelError
from system.supervision.messages import (
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
"""Characters of a reason that are sent; a database error can hold a whole batch of values."""


class Part(Protocol):
    """What a child runs."""

    def status(self) -> ChildStatus: ...

    def metrics(self) -> ChildMetrics: ...

    def stop(self) -> bool:
        """Finish what is in hand; returns whether that was possible."""
        ...


def main() -> None:
    """Run until the supervisor sends `Shutdown`, or until its end of the channel is closed.

    The arguments are a name for `ps`, the descriptors of the channel and of the run's lock, and the
    import path. The exit status is 0 after `Shutdown` and 1 otherwise.
    """
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, signal.SIG_IGN)  # the first process handles them, and asks us to stop
    channel_fd, lock_fd = map(int, sys.argv[2:4])
    os.set_inheritable(lock_fd, False)  # what a worker starts does not belong to the run
    channel = Channel(socket.socket(fileno=channel_fd), ToChild)
    try:
        _run(channel)
    except BaseException as error:
        fail(channel, error)


def fail(channel: Channel, error: BaseException) -> NoReturn:
    """Exit at once with status 1; tell the supervisor why, if it still can be told.

    Nothing that can go wrong in the telling keeps the process from exiting: a worker that cannot
    work and does not exit is never started again, and its sagas stand still.
    """
    try:
        reason = f"{type(error).__name__}: {error}"[:LONGEST_REASON]
        channel.send(Failed(reason.encode(errors="replace").decode()))
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
                os._exit(0)  # threads that call the outside world may not keep the run from ending


def _receive(channel: Channel, requests: SimpleQueue[Any]) -> None:
    """Pass requests to the main thread, and end this process when the first process is gone."""
    try:
        while (message := channel.receive()) is not None:
            requests.put(message)
    except (ChannelError, OSError):
        pass  # the same as the end of it
    finally:
        os._exit(1)


def _started(channel: Channel, first: Any) -> Part:
    def failed(error: BaseException) -> None:
        fail(channel, error)

    # Imported here, since each part needs what the other does not.
    if isinstance(first, RunWorker):
        from system.supervision.worker import Worker

        return Worker(first, failed)
    from system.supervision.http_process import HttpProcess

    return HttpProcess(first, failed)
