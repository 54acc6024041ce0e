"""External calls on threads: a bounded pool for each service."""

import threading
from collections import deque

import structlog

from order_sagas.actors.protocol import ExternalCall
from order_sagas.bridges.processor.call_results import CallDone, failed, perform
from order_sagas.bridges.processor.call_runners import Done

log = structlog.get_logger("external_calls")

THREADS = 8
"""Calls of one service that run at the same time."""


class ThreadPools:
    """A pool of daemon threads for each service, so that a hanging service delays no other one.

    Threads are started when needed, at most `threads` for each service. They are daemons because a
    hanging call must not keep the process alive.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = threads
        self._pools: dict[str, _Pool] = {}

    def run(self, call: ExternalCall, done: Done) -> None:
        """Queue the call for a thread of its service's pool."""
        pool = self._pools.get(call.service)
        if pool is None:
            pool = self._pools[call.service] = _Pool(call.service, self._threads)
        pool.add(call, done)

    def stop(self) -> list[ExternalCall]:
        """Return the calls that no thread has begun, and let idle threads end."""
        return [call for pool in self._pools.values() for call in pool.stop()]


class _Pool:
    """The threads of one service, and the calls that wait for one of them."""

    def __init__(self, name: str, threads: int) -> None:
        self._name = name
        self._most = threads
        self._changed = threading.Condition()
        self._waiting: deque[tuple[ExternalCall, Done]] = deque()
        self._threads = 0
        self._idle = 0
        self._stopped = False

    def add(self, call: ExternalCall, done: Done) -> None:
        with self._changed:
            self._waiting.append((call, done))
            if self._idle >= len(self._waiting) or self._threads == self._most:
                self._changed.notify()
                return
            self._threads += 1
            name = f"{self._name}-calls-{self._threads}"
        threading.Thread(target=self._work, name=name, daemon=True).start()

    def stop(self) -> list[ExternalCall]:
        with self._changed:
            self._stopped = True
            not_begun = [call for call, _ in self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
        return not_begun

    def _work(self) -> None:
        while True:
            with self._changed:
                self._idle += 1
                while not self._waiting and not self._stopped:
                    self._changed.wait()
                self._idle -= 1
                if self._stopped:
                    return
                call, done = self._waiting.popleft()
            try:
                result = perform(call)
            except BaseException as error:
                # A client that calls sys.exit() ends neither the thread nor the call unreported.
                result = failed(call, error)
            _report(result, done)


def _report(result: CallDone, done: Done) -> None:
    """Report a result. An exception of `done` is logged: there is no caller to raise it to."""
    try:
        done(result)
    except Exception as error:
        log.exception(
            "external_call.not_reported",
            service=result.service,
            operation=result.operation,
            order_id=result.order_id,
            key=result.key,
            error=str(error),
        )
