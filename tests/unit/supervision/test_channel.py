"""Messages between processes: framed, validated, and never executed."""

import os
import pickle
import socket
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from order_sagas.bridges.processor.messages import Report
from order_sagas.system.settings import Settings
from order_sagas.system.supervision.channel import HEADER, LARGEST, Channel, ChannelError
from order_sagas.system.supervision.messages import (
    AskStatus,
    ChildMetrics,
    ChildStatus,
    FromChild,
    Shutdown,
    Started,
    ToChild,
    run_http,
    run_worker,
)

REPORT = Report([0, 2], 1, 2, 3, 4, 0.5, 1.5, 5, 60.0, "none")


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a connection."""
    here, there = socket.socketpair()
    with here, there:
        yield here, there


@pytest.fixture
def raw_and_channel(sockets) -> tuple[socket.socket, Channel]:
    """A bare socket, and the supervisor's channel at its other end."""
    return sockets[0], Channel(sockets[1], FromChild)


def test_messages_arrive_in_order_and_then_their_end(sockets) -> None:
    """Of any size."""
    sender = Channel(sockets[0], ToChild)
    receiver = Channel(sockets[1], FromChild)
    sent = [Started(), ChildStatus(REPORT, 1.25), ChildMetrics("x" * 100_000), ChildStatus(None, 0)]
    for message in sent:
        sender.send(message)
    sender.close()

    assert [*sent, None] == [receiver.receive() for _ in range(5)]


def test_all_settings_arrive(sockets) -> None:
    """Secrets, paths that are no UTF-8, and values other than the defaults."""
    settings = Settings(
        log_dir=Path(os.fsdecode(b"/logs-\xff")),
        workers=2,
        roles=("orders", "stock"),
        keep_finished=3.5,
        smtp_password="swordfish",
        kafka_ssl_key_password="\N{KEY}",
    )
    sender, receiver = Channel(sockets[0], FromChild), Channel(sockets[1], ToChild)
    sender.send(run_worker(settings, 1, "1", frozenset({1, 3})))
    sender.send(run_http(settings, 2, 4))
    work, http = receiver.receive(), receiver.receive()

    assert (1, "1", frozenset({1, 3}), settings) == (
        work.number,
        work.name,
        work.shards,
        work.settings,
    )
    assert (2, 4, settings) == (http.number, http.restarts, http.settings)
    assert "swordfish" not in repr([work, http])


class Trap:
    """Makes a directory when it is unpickled."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def __reduce__(self):
        return os.mkdir, (str(self.directory),)


def test_a_pickle_is_refused_and_not_loaded(raw_and_channel, tmp_path) -> None:
    """Received data is never executed."""
    raw, channel = raw_and_channel
    trap = pickle.dumps(Trap(tmp_path / "executed"))
    raw.sendall(HEADER.pack(len(trap)) + trap)

    with pytest.raises(ChannelError):
        channel.receive()
    assert not (tmp_path / "executed").exists()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xc1",
        msgspec.msgpack.encode({"type": "Nonsense"}),
        msgspec.msgpack.encode({"type": "ChildStatus", "report": 7, "cpu": 1.0}),
        msgspec.msgpack.encode(Shutdown()),  # which only the supervisor sends
        b"\x91" * 100_000,
    ],
    ids=["empty", "not msgpack", "no such type", "wrong field", "wrong direction", "deep"],
)
def test_an_unexpected_message_is_refused(raw_and_channel, body) -> None:
    """With ChannelError."""
    raw, channel = raw_and_channel
    raw.sendall(HEADER.pack(len(body)) + body)

    with pytest.raises(ChannelError):
        channel.receive()


def test_a_frame_beyond_the_limit_is_refused_before_it_is_read(raw_and_channel) -> None:
    """Its length alone is enough."""
    raw, channel = raw_and_channel
    raw.sendall(HEADER.pack(LARGEST + 1))

    with pytest.raises(ChannelError):
        channel.receive()


@pytest.mark.parametrize("sent", [b"\0\0", b"\0\0\0\x09half"], ids=["in the length", "in the body"])
def test_a_frame_that_is_cut_off_is_the_end(raw_and_channel, sent) -> None:
    """Its sender was killed while it sent."""
    raw, channel = raw_and_channel
    raw.sendall(sent)
    raw.close()

    assert channel.receive() is None


def test_an_end_that_does_not_read_does_not_block_the_sender(sockets) -> None:
    """The send fails, and so does every send after it: half a frame may be on its way."""
    sender = Channel(sockets[0], FromChild, send_timeout=0.05)

    with pytest.raises(BlockingIOError):
        sender.send(ChildMetrics("x" * 10_000_000))
    with pytest.raises(BrokenPipeError):
        sender.send(AskStatus())
