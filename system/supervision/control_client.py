"""Asks the supervisors of this machine from another process, over their control sockets."""

import socket
from typing import Any

from system.settings import Settings
from system.supervision.channel import Channel, ChannelError, limit_sends
from system.supervision.messages import AskStatus, AskStop, ControlReply, Status, Stopping
from system.supervision.run_registry import Run, runs_of

ANSWER_WITHIN = 5.0
"""Seconds that a supervisor has to answer; it gives its workers two."""


def ask_status(settings: Settings) -> dict[Run, Status]:
    """The state of every supervised run on this database that shares our log directory.

    A run that has ended or does not answer is left out.
    """
    answers: dict[Run, Status] = {}
    for run in runs_of(settings):
        with_answer = _ask(run, AskStatus())
        if with_answer is not None:
            connection, answer = with_answer
            connection.close()
            if isinstance(answer, Status):
                answers[run] = answer
    return answers


class StopRequest:
    """A run that was asked to stop, and the connection that closes when it has ended."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        """The first process of the run."""
        self._connection = connection

    def wait(self, timeout: float) -> bool:
        """Wait for the end of its first process; returns whether it came within `timeout` s."""
        self._connection.settimeout(max(timeout, 0.001))
        try:
            return self._connection.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True
        finally:
            self._connection.close()


def ask_to_stop(settings: Settings) -> list[StopRequest]:
    """Ask every supervised run on this database that shares our log directory to stop."""
    asked = []
    for run in runs_of(settings):
        with_answer = _ask(run, AskStop())
        if with_answer is not None and isinstance(with_answer[1], Stopping):
            asked.append(StopRequest(with_answer[1].pid, with_answer[0]))
    return asked


def _ask(run: Run, request: AskStatus | AskStop) -> tuple[socket.socket, Any] | None:
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    limit_sends(connection, ANSWER_WITHIN)
    try:
        connection.connect(str(run.socket))
        connection.settimeout(ANSWER_WITHIN)
        channel = Channel(connection, ControlReply)
        channel.send(request)
        return connection, channel.receive()
    except (OSError, ChannelError):
        connection.close()  # it was killed, belongs to another user, or does not answer
        return None
