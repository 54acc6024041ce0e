"""External calls on threads: a bounded pool for each service, or for those that share limits."""

import threading
import time
from collections import deque

import attrs
import structlog

from order_sagas.actors.messages import DECLINED
from order_sagas.actors.protocol import ExternalCall
from order_sagas.actors.services.call_limits import CallLimits
from order_sagas.bridges.processor.call_gate import CallGate
from order_sagas.bridges.processor.call_results import CallDone, failed, perform
from order_sagas.bridges.processor.call_runners import Done

log = structlog.get_logger("external_calls")

THREADS = 8
"""Calls of one pool that run at the same time."""

MOST_HUNG = 4
"""Pools' worth of threads that may hang in calls whose timeout has passed. Beyond that a hanging
call keeps its place in the pool, so that the threads of a process are bounded."""


class ThreadPools:
    """A pool of daemon threads for each service, so that a hanging service delays no other one.

    Services whose calls have equal limits with the same `CallLimits.pool` share one. Threads are
    started when needed, at most `threads` for each pool, unless its limits say otherwise. They are
    daemons because a hanging call must not keep the process alive.
    """

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = threads
        self._pools: dict[str | CallLimits, _Pool] = {}

    def run(self, call: ExternalCall, done: Done) -> None:
        """Queue the call for a thread of its service's pool."""
        limits = call.limits
        key = limits if limits.pool else call.service
        pool = self._pools.get(key)
        if pool is None:
            name = limits.pool or call.service
            pool = self._pools[key] = _Pool(name, limits, limits.at_once or self._threads)
        pool.add(call, done)

    def stop(self) -> list[ExternalCall]:
        """Return the calls that no thread has begun, and let idle threads end."""
        return [call for pool in self._pools.values() for call in pool.stop()]


@attrs.define(eq=False)
class _Job:
    """A call, and until when it may take (monotonic seconds)."""

    call: ExternalCall
    done: Done
    due: float = 0.0


class _Pool:
    """The threads of one service, and the calls that wait for one of them, or for the gate."""

    def __init__(self, name: str, limits: CallLimits, threads: int) -> None:
        self._name = name
        self._timeout = limits.timeout
        self._gate = CallGate(limits)
        self._most = threads
        self._changed = threading.Condition()
        self._waiting: deque[_Job] = deque()
        self._timed: dict[_Job, None] = {}
        """The calls that run and have a timeout; the one that began first is the first due."""
        self._threads = 0
        self._hung = 0
        self._idle = 0
        self._watched = False
        self._stopped = False

    def add(self, call: ExternalCall, done: Done) -> None:
        with self._changed:
            self._waiting.append(_Job(call, done))
            starts_watch = self._timeout is not None and not self._watched
            self._watched = self._watched or starts_watch
            starts_thread = self._idle < len(self._waiting) and self._threads < self._most
            if starts_thread:
                self._threads += 1
            else:
                self._changed.notify()
            number = self._threads
        if starts_watch:
            self._start(self._watch, f"{self._name}-timeouts")
        if starts_thread:
            self._start(self._work, f"{self._name}-calls-{number}")

    def stop(self) -> list[ExternalCall]:
        with self._changed:
            self._stopped = True
            not_begun = [job.call for job in self._waiting]
            self._waiting.clear()
            self._changed.notify_all()
        return not_begun

    def _start(self, target: object, name: str) -> None:
        threading.Thread(target=target, name=name, daemon=True).start()  # type: ignore[arg-type]

    def _work(self) -> None:
        while job := self._next():
            try:
                result = perform(job.call)
            except BaseException as error:
                # A client that calls sys.exit() ends neither the thread nor the call unreported.
                result = failed(job.call, error)
            if not self._over(job, result):
                return
            _report(result, job.done)

    def _next(self) -> _Job | None:
        """Wait for a call that may begin. None: the pool has been stopped."""
        with self._changed:
            self._idle += 1
            while not self._stopped:
                pause = self._gate.wait(time.monotonic()) if self._waiting else None
                if pause == 0.0:
                    break
                self._changed.wait(pause)
            self._idle -= 1
            if self._stopped:
                return None
            job = self._waiting.popleft()
            now = time.monotonic()
            self._gate.begin(now)
            if self._timeout is not None:
                job.due = now + self._timeout
                self._timed[job] = None
                self._changed.notify_all()
            return job

    def _over(self, job: _Job, result: CallDone) -> bool:
        """Note that a call has returned. Returns False if its timeout had passed before."""
        with self._changed:
            if self._timeout is not None and job not in self._timed:
                self._hung -= 1
                self._changed.notify_all()
                return False
            self._timed.pop(job, None)
            self._ended(result)
        return True

    def _ended(self, result: CallDone) -> None:
        answered = result.failure in ("", DECLINED)
        if self._gate.end(time.monotonic(), answered=answered):
            if self._gate.is_open:
                log.warning("external_call.circuit_opened", pool=self._name, error=result.error)
            else:
                log.warning("external_call.circuit_closed", pool=self._name)
        self._changed.notify_all()

    def _watch(self) -> None:
        """Report the calls whose timeout has passed, and replace their threads."""
        while True:
            with self._changed:
                job = next(iter(self._timed), None)
                left = job.due - time.monotonic() if job else None
                if self._hung >= MOST_HUNG * self._most:
                    left = None  # until one of them returns
                if job is None or left is None or left > 0:
                    self._changed.wait(left)
                    continue
                del self._timed[job]
                self._hung += 1
                error = TimeoutError(f"no answer within {self._timeout:g} s; the call still runs")
                result = failed(job.call, error)
                self._ended(result)
                replaced = not self._stopped
            if replaced:
                self._start(self._work, f"{self._name}-calls")
            _report(result, job.done)


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
