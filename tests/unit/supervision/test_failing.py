"""A child process that fails exits, even if it cannot reach its supervisor."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from order_sagas.system.supervision.channel import Channel
from order_sagas.system.supervision.child_main import LONGEST_REASON
from order_sagas.system.supervision.messages import Failed, FromChild
from tests.support.waiting import TIMEOUT

ROOT = Path(__file__).parents[3]
FAIL = """
import socket, sys
from order_sagas.system.supervision.channel import Channel
from order_sagas.system.supervision.child_main import fail
from order_sagas.system.supervision.messages import ToChild

class Unspeakable(Exception):
    def __str__(self):
        raise MemoryError

connection = socket.socket(fileno=int(sys.argv[1]))
channel = Channel(connection, ToChild, send_timeout=0.1)
if "full" in sys.argv:
    connection.setblocking(False)
    try:
        while True:
            connection.send(b"x" * 10_000)
    except BlockingIOError:
        connection.setblocking(True)
fail(channel, Unspeakable() if "unspeakable" in sys.argv else ValueError(sys.argv[2]))
"""


def fail(*args: str, hang_up: bool = False) -> tuple[int, socket.socket]:
    """The exit status of a process that fails, and the supervisor's end of its channel."""
    ours, childs = socket.socketpair()
    if hang_up:
        ours.close()
    with childs:
        done = subprocess.run(
            [sys.executable, "-c", FAIL, str(childs.fileno()), *args],
            pass_fds=[childs.fileno()], cwd=ROOT, timeout=TIMEOUT,
        )  # fmt: skip
    return done.returncode, ours


def test_the_supervisor_gets_the_reason() -> None:
    """A text that cannot be encoded is converted, and a long one is cut."""
    status, ours = fail("disk full \udcff" + "x" * 10_000)
    with ours:
        message = Channel(ours, FromChild).receive()

    assert 1 == status
    assert isinstance(message, Failed)
    assert message.reason.startswith("ValueError: disk full ?xxx")
    assert LONGEST_REASON == len(message.reason)


@pytest.mark.parametrize(
    ("args", "hang_up"),
    [(["why"], True), (["why", "full"], False), (["why", "unspeakable"], False)],
    ids=["nobody is there", "nobody reads", "the error cannot be shown"],
)
def test_it_exits_if_the_supervisor_cannot_be_told(args: list[str], hang_up: bool) -> None:
    """With the same status."""
    status, ours = fail(*args, hang_up=hang_up)
    ours.close()

    assert 1 == status
