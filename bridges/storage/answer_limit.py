"""Connections to PostgreSQL that are closed if the server does not answer.

A machine or a proxy in between may vanish without closing the connection, and a server may be
frozen. The probes of TCP notice only the first of these.
"""

from collections.abc import Generator
from time import monotonic
from typing import Any

import psycopg

ANSWER_SECONDS = 30.0
"""More than a transaction of a worker may take (`FROZEN_SECONDS`): then the server answers."""


class LimitedConnection(psycopg.Connection[Any]):
    """A connection that is closed, with OperationalError, after `answer_seconds` of silence.

    Silence counts only while an answer is waited for, and from the last bytes that came. Whether
    what was sent has been done is then unknown. None: wait without end.
    """

    answer_seconds: float | None = ANSWER_SECONDS

    def wait(self, gen: Any, *args: Any, **options: Any) -> Any:
        """Wait for the end of an operation, as psycopg does."""
        if self.answer_seconds is not None:
            gen = self._limited(gen, self.answer_seconds)
        return super().wait(gen, *args, **options)

    def _limited(self, gen: Any, seconds: float) -> Generator[Any, Any, Any]:
        try:
            wanted = next(gen)
            since = monotonic()
            while True:
                ready = yield wanted
                if ready:
                    since = monotonic()
                elif monotonic() - since > seconds:
                    self.pgconn.finish()
                    raise psycopg.OperationalError(f"no answer for {seconds:g} seconds")
                wanted = gen.send(ready)
        except StopIteration as end:
            return end.value
