"""The client of the control socket, for `order-sagas status` and `order-sagas stop`."""

import socket
from typing import Any

from order_sagas.system.settings import Settings
from order_sagas.system.supervision.channel import Channel, ChannelError, limit_sends
from order_sagas.system.supervision.messages import (
    AskStatus,
    AskStop,
    ControlReply,
    Status,
    Stopping,
)
from order_sagas.system.supervision.run_registry import Run, runs_of

ANSWER_WITHIN = 5.0
"""Seconds in which a supervisor has to answer; its workers have two."""


def ask_status(settings: Settings) -> dict[Run, Status]:
    """Return the state of all supervised runs with this database and log directory.

    Runs that have ended or do not answer are left out.
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
    """A run that was asked to stop. Its connection closes when the first process ends."""

    def __init__(self, pid: int, connection: socket.socket) -> None:
        self.pid = pid
        """Process id of the first process of the run."""
        self._connection = connection

    def wait(self, timeout: float) -> bool:
        """Wait for the end of the first process; return False after `timeout` seconds."""
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
    """Ask all supervised runs with this database and log directory to stop."""
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
