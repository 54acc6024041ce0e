"""Messages between two processes over a stream socket: length-prefixed msgpack, never pickle.

A frame is a length (4 bytes, unsigned, big-endian) followed by that number of bytes of msgpack: a
tagged `msgspec.Struct`. Received data is validated against the expected types; any other content is
an error, and no code of it runs.
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
"""Largest accepted frame, in bytes. The metrics of a worker are some 50 kB."""

T = TypeVar("T")


class ChannelError(Exception):
    """A frame that is too large, truncated, or of an unexpected type. The channel is unusable."""


def encode(message: Any) -> bytes:
    """Encode a message as one frame. Raises TypeError or ValueError if msgspec cannot encode it."""
    body = msgspec.msgpack.encode(message, enc_hook=path_to_bytes)
    return HEADER.pack(len(body)) + body


def decoder_of(types: Any) -> msgspec.msgpack.Decoder[Any]:
    """Return a decoder for messages of the union `types`."""
    return msgspec.msgpack.Decoder(types)


def decode(decoder: msgspec.msgpack.Decoder[Any], body: bytes) -> Any:
    """Decode the body of a frame. Raises ChannelError if it is not one of the expected types."""
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ChannelError(f"not a message that is expected here: {error}") from error


def path_to_bytes(value: Any) -> bytes:
    """Encoding hook of msgspec: encode paths as bytes, since a path need not be valid UTF-8."""
    if isinstance(value, Path):
        return os.fsencode(value)
    raise NotImplementedError(f"{type(value).__name__} is not sent between processes")


def limit_sends(connection: socket.socket, seconds: float) -> None:
    """Let `connect` and sends raise OSError if they block for longer than `seconds`.

    Unlike `settimeout` this does not limit receives, and `connect` to a Unix socket with a full
    queue waits instead of failing at once.
    """
    timeout = struct.pack("@ll", int(seconds), int(seconds % 1 * 1e6))
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)


class Channel:
    """One end of a connection. Any thread may send; one thread receives.

    Messages arrive in the order in which they were sent. `receives` is the union of the types that
    the other end may send. A send blocks for at most `send_timeout` seconds while the other end
    does not read; then it fails, and every later send fails too.
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
        """Send a message. Raises OSError if the other end is closed or does not read."""
        frame = encode(message)
        with self._sending:
            if self._broken:
                raise BrokenPipeError("an earlier message could not be sent")
            try:
                self._socket.sendall(frame)
            except OSError:
                self._broken = True  # part of the frame may have been sent: no other can follow
                raise

    def receive(self) -> Any:
        """Return the next message, or None after the other end was closed.

        Raises ChannelError for an invalid frame, after which nothing more can be received, and
        OSError if the connection fails.
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
        """Read `count` bytes; None if the other end was closed before, within a frame or not."""
        try:
            found = self._reader.read(count)
        except ValueError:  # `close` was called by another thread
            return None
        return found if len(found) == count else None

    def close(self) -> None:
        """Close the connection; a pending `receive` in another thread returns None."""
        # The other end may have been closed first.
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        self._reader.close()
        self._socket.close()
