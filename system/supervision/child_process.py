"""A child process, and the channel to it."""

import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from order_sagas.system.supervision.channel import Channel, ChannelError
from order_sagas.system.supervision.messages import FromChild

EXIT_WITHIN = 10.0
"""Seconds in which a child has to exit after closing its channel; then it is killed."""

# With this process's import path, independent of working directory and environment.
CODE = f"import sys; sys.path[:] = sys.argv[4:]; from {__package__}.child_main import main; main()"


class ChildProcess:
    """A child that runs `child_main`, and a thread that reads what it sends.

    `on_message` is called with each message, and `on_end` once, last, with a description of the
    end; both are called on that thread. `lock` is a descriptor that the child inherits and keeps
    open until it exits. Raises OSError if the process cannot be started.

    The child has its own session: Ctrl-C in a terminal is sent to this process only, which stops
    the child over the channel. If this process dies, the channel is closed and the child exits.
    """

    def __init__(
        self,
        name: str,
        lock: int,
        first: Any,
        on_message: Callable[[Any], None],
        on_end: Callable[[str], None],
    ) -> None:
        self._on_message = on_message
        self._on_end = on_end
        ours, childs = socket.socketpair()
        try:
            with childs:
                self._process = subprocess.Popen(
                    [
                        sys.executable, "-P", "-c", CODE,
                        name, str(childs.fileno()), str(lock), *sys.path,
                    ],
                    stdin=subprocess.DEVNULL,
                    pass_fds=(childs.fileno(), lock),
                    start_new_session=True,
                )  # fmt: skip
        except OSError:
            ours.close()
            raise
        self.pid = self._process.pid
        self._channel = Channel(ours, FromChild)
        self._thread = threading.Thread(target=self._read, name=f"{name} channel", daemon=True)
        try:
            self._thread.start()
        except RuntimeError as error:
            self._process.kill()
            raise OSError(str(error)) from error
        self.send(first)

    def send(self, message: Any) -> None:
        """Send a message. A child that does not read its channel is killed."""
        try:
            self._channel.send(message)
        except OSError:
            self._process.kill()  # has no effect if it has exited

    def kill(self) -> None:
        """Kill the child, and wait until it has exited."""
        self._process.kill()
        self._thread.join(EXIT_WITHIN)

    def _read(self) -> None:
        try:
            while (message := self._channel.receive()) is not None:
                self._on_message(message)
        except (ChannelError, OSError) as error:
            self._process.kill()
            how = f"its channel failed: {error}"
            self._process.wait()
        else:
            how = self._how_it_ended()
        self._channel.close()
        self._on_end(how)

    def _how_it_ended(self) -> str:
        try:
            status = self._process.wait(EXIT_WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            return "it closed its channel and did not exit"
        if status < 0:
            return f"it was killed ({_name_of(-status)})"
        return f"it exited with status {status}"


def _name_of(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
