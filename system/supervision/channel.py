"""Messages between two processes over a stream socket: length-prefixed msgpack, never pickle.

A frame is a length in bytes (4 bytes, unsigned, big-endian) and that many bytes of msgpack. What is
encoded is a tagged `msgspec.Struct`; what is received is checked against the expected types, so a
frame of any other content is an error and runs nothing.
"""

import os
import socket
import struct
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

import msgspec

HEADER = struct.Struct("!I")
LARGEST = 16 * 1024 * 1024
"""Bytes of the largest frame that a channel accepts; the metrics of a worker are some 50 kB."""

T = TypeVar("T")


class ChannelError(Exception):
    """A frame that is too large, cut off, or of no expected type. The channel cannot go on."""


def encode(message: Any) -> bytes:
    """A message as one frame. Raises TypeError or ValueError for what msgspec cannot encode."""
    body = msgspec.msgpack.encode(message, enc_hook=path_to_bytes)
    return HEADER.pack(len(body)) + body


def decoder_of(types: Any) -> msgspec.msgpack.Decoder[Any]:
    """A decoder for one message of the union `types`."""
    return msgspec.msgpack.Decoder(types)


def decode(decoder: msgspec.msgpack.Decoder[Any], body: bytes) -> Any:
    """The message in the body of a frame; raises ChannelError if it is none of the types."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ChannelError(f"not a message that is expected here: {error}") from error


def path_to_bytes(value: Any) -> bytes:
    """An encoding hook of msgspec: paths as bytes, since a path need not be valid UTF-8."""
    if isinstance(value, Path):
        return os.fsencode(value)
    raise NotImplementedError(f"{type(value).__name__} is not sent between processes")


def limit_sends(connection: socket.socket, seconds: float) -> None:
    """Let `connect` and sends fail with OSError when they block for so long.

    Unlike `settimeout` this does not limit how long a receive waits, and `connect` waits for a
    place in the queue of a Unix socket that is busy, where it would fail at once.
    """
    timeout = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)


class Channel:
    """One end of a connection. Any thread may send; one thread receives.

    Messages arrive in the order in which they were sent. `receives` is the union of the types that
    the other end may send. A send blocks for at most `send_timeout` seconds while the other end
    does not read; then it fails, and so does every send after it.
    """

    def __init__(
        self, connection: socket.socket, receives: Any, *, send_timeout: float = 2.0
    ) -> None:
        self._socket = connection
        self._decoder = decoder_of(receives)
        self._reader = connection.makefile("rb")
        self._sending = threading.Lock()
        self._broken = False
        limit_sends(connection, send_timeout)

    def send(self, message: Any) -> None:
        """Send a message. Raises OSError if the other end is gone or does not read."""
        frame = encode(message)
        with self._sending:
            if self._broken:
                raise BrokenPipeError("an earlier message could not be sent")
            try:
                self._socket.sendall(frame)
            except OSError:
                self._broken = True  # part of the frame may be on its way: nothing can follow it
                raise

    def receive(self) -> Any:
        """The next message; None once the other end is closed.

        Raises ChannelError for a bad frame, after which nothing more can be received, and OSError
        if the connection fails.
        """
        header = self._read(HEADER.size)
        if header is None:
            return None
        (length,) = HEADER.unpack(header)
        if length > LARGEST:
            raise ChannelError(f"a frame of {length:,} bytes; the limit is {LARGEST:,}")
        body = self._read(length)
        return None if body is None else decode(self._decoder, body)

    def _read(self, count: int) -> bytes | None:
        """So many bytes; None if the other end was closed first, in a frame or before one."""
        try:
            found = self._reader.read(count)
        except ValueError:  # `close` was called by another thread
            return None
        return found if len(found) == count else None

    def close(self) -> None:
        """Close the connection; a thread that is in `receive` gets None."""
        # The other end may have been closed first.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._socket.close()
