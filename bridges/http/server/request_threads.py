"""Threads for the blocking calls of requests, shared out among callers.

The server's own calls (health checks, the event stream, files of the page) have other threads.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import ParamSpec, TypeVar

import attrs
from anyio import CapacityLimiter, to_thread
from starlette.concurrency import run_in_threadpool

from order_sagas.bridges.http.problems import retry_later
from order_sagas.bridges.http.server.tokens import Caller, Role

THREADS = 6
"""Threads for requests; each may keep a database connection."""
OF_READERS = 4
"""Threads for all callers who may not act."""
OF_READER = 2
"""Threads for one such caller."""
WAITING = 100
"""Maximum number of calls of one such caller that wait for a thread."""
RETRY = 1.0
"""Retry-After seconds of a call too many."""

P = ParamSpec("P")
T = TypeVar("T")


@attrs.frozen
class _Share:
    """The threads that one caller may use. Those of an operator are bounded by THREADS alone."""

    limiters: tuple[CapacityLimiter, ...]
    threads: CapacityLimiter


_share: ContextVar[_Share | None] = ContextVar("share", default=None)


class RequestThreads:
    """The threads of one server.

    A caller who may not act waits for a thread of its own share, so that its slow queries, however
    many, leave threads to others, and to operators always some.
    """

    def __init__(self) -> None:
        self._threads = CapacityLimiter(THREADS)
        self._readers = CapacityLimiter(OF_READERS)
        self._by_name: dict[str, CapacityLimiter] = {}

    def use_for(self, caller: Caller) -> None:
        """Let `in_thread` use the share of this caller in the current task, and in its children."""
        limiters: tuple[CapacityLimiter, ...] = ()
        if not caller.role & Role.ACT:
            own = self._by_name.setdefault(caller.name, CapacityLimiter(OF_READER))
            limiters = own, self._readers
        _share.set(_Share(limiters, self._threads))


async def in_thread(call: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
    """Call a blocking function on a thread of the request's caller, and return its result.

    Raises Problem 503 if too many calls of the caller wait for a thread.
    """
    share = _share.get()
    if share is None:
        return await run_in_threadpool(call, *args, **options)

    def bound() -> T:
        return call(*args, **options)

    if not share.limiters:
        return await to_thread.run_sync(bound, limiter=share.threads)
    own, readers = share.limiters
    if own.statistics().tasks_waiting >= WAITING:
        raise retry_later(503, "too many requests of this token are under way", RETRY)
    async with own, readers:
        return await to_thread.run_sync(bound, limiter=share.threads)
