"""Standard output and error without control characters in the texts of others."""

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from order_sagas.system.visible_text import visible


class _VisibleStream:
    """A text stream that shows unsafe characters as escapes.

    Everything else is passed to the stream.

    Consoles of rich write to the stream itself, as they do to any stream with the attribute
    `rich_proxied_file`: their styles need control characters. See `VisibleConsole`.
    """

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream

    def write(self, text: str) -> int:
        return self.rich_proxied_file.write(visible(text))

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextmanager
def visible_output() -> Iterator[None]:
    """Within the context, unsafe characters that are written to the two streams are escaped."""
    # Python has None for a stream that was closed before the program began.
    nowhere = Path(os.devnull)
    before: Any = [stream or nowhere.open("w") for stream in (sys.stdout, sys.stderr)]
    for stream in before:
        if isinstance(stream, io.TextIOWrapper):
            # Characters that the encoding of the terminal lacks are shown as escapes too.
            stream.reconfigure(errors="backslashreplace")
    streams: Any = [_VisibleStream(stream) for stream in before]
    sys.stdout, sys.stderr = streams
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
