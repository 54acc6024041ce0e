"""External calls, made after the commit that stored the intention to make them.

The request of a service is stored first (its entity is `pending`); the call is made after that
commit, never on the event loop's thread. Its result is a message, the outcome, which a later batch
handles. Until that batch is committed the call is under way, and no other call with its id is made:
neither the retry of a saga nor a batch that is rolled back and repeated makes it twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from order_sagas.actors.protocol import CallId, ExternalCall
from order_sagas.bridges.processor.call_results import CallDone
from order_sagas.bridges.processor.call_runners import CallRunner

log = structlog.get_logger("external_calls")

CAPACITY = 1000
"""Maximum number of calls of one service that are under way: that run, wait for a thread, or have
an outcome that is not committed. Others wait in the database."""


class ExternalCalls:
    """Tracks which calls are under way, and limits how many are. Used by the loop's thread alone.

    `on_done` is called with each result, on any thread; the processor then passes the result to
    `finished`. `on_failure` is called with each failed one. A call for which there is no capacity
    is refused: its entity stays `pending` in the database, and `take_refused` names its service, so
    that the call is requested again when there is capacity.
    """

    def __init__(
        self,
        runner: CallRunner,
        on_done: Callable[[CallDone], None],
        on_failure: Callable[[CallDone], None] | None = None,
        capacity: int = CAPACITY,
    ) -> None:
        self.capacity = capacity
        self._runner = runner
        self._on_done = on_done
        self._on_failure = on_failure
        self._under_way: dict[CallId, str] = {}
        """Order id of each call under way."""
        self._orders: Counter[tuple[str, str]] = Counter()
        """Number of calls under way for each service and order."""
        self._taken: Counter[str] = Counter()
        """Number of calls of each service that take capacity."""
        self._running: set[CallId] = set()
        """Calls without a result."""
        self._set_aside: set[CallId] = set()
        """Calls whose outcome waits for a shard that is not owned; they take no capacity."""
        self._refused: set[str] = set()
        self._stopped = False
        self._closed = False

    # --- what is under way --------------------------------------------------------------------

    @property
    def running(self) -> int:
        """Number of calls without a result."""
        return len(self._running)

    def counts(self) -> dict[str, int]:
        """Return the number of calls under way, by service."""
        return {service: count for service, count in self._taken.items() if count}

    def room(self, service: str) -> int:
        """Return how many more calls of a service can be issued now."""
        return 0 if self._stopped else self.capacity - self._taken[service]

    def is_under_way(self, service: str, order_id: str) -> bool:
        """Whether a call of a service about an order is under way."""
        return (service, order_id) in self._orders

    @property
    def refused(self) -> bool:
        """Whether calls were refused since the last `take_refused`."""
        return bool(self._refused)

    def take_refused(self) -> set[str]:
        """Return, and forget, the services of which calls were refused."""
        refused, self._refused = self._refused, set()
        return refused

    # --- the life of a call -------------------------------------------------------------------

    def issue(self, calls: Iterable[ExternalCall]) -> None:
        """Make these calls, without those under way. Their intentions must be committed."""
        for call in calls:
            if call.id in self._under_way:
                continue
            if self.room(call.service) <= 0:
                self._refused.add(call.service)
                continue
            self._begin(call)
            try:
                self._runner.run(call, self._report)
            except Exception as error:  # no thread can be started, say
                log.exception("external_call.not_begun", **_named(call), error=str(error))
                self._refused.add(call.service)
                self._forget(call.id)

    def finished(self, done: CallDone) -> None:
        """Note the result of a call, and log a failure. The call is under way until `settled`."""
        self._running.discard(done.id)
        if done.failure:
            log.warning(
                "external_call.failed",
                **_named(done),
                reason=done.failure,
                error=done.error,
                **({"details": done.details} if done.details else {}),
            )
            if self._on_failure:
                self._on_failure(done)
        if done.message is None:
            self.settled((done.id,))  # there is no outcome: a retry may make the call again

    def settled(self, ids: Iterable[CallId]) -> None:
        """Note that the outcomes of these calls are committed or dropped."""
        for call_id in ids:
            self._forget(call_id)

    def set_aside(self, call_id: CallId) -> None:
        """Free the capacity of a call whose outcome waits for its shard; it stays under way."""
        if call_id in self._under_way and call_id not in self._set_aside:
            self._set_aside.add(call_id)
            self._taken[call_id[0]] -= 1

    def stop(self) -> None:
        """Begin no more calls; running ones may still report. Others stay in the database."""
        self._stopped = True
        self.settled(call.id for call in self._runner.stop())

    def close(self) -> None:
        """Stop, and ignore the results of running calls, which can no longer be stored."""
        self.stop()
        self._closed = True

    def _report(self, done: CallDone) -> None:
        """Pass a result on; called on the threads that make calls."""
        if not self._closed:
            self._on_done(done)

    def _begin(self, call: ExternalCall) -> None:
        self._under_way[call.id] = call.order_id
        self._orders[call.service, call.order_id] += 1
        self._taken[call.service] += 1
        self._running.add(call.id)

    def _forget(self, call_id: CallId) -> None:
        order_id = self._under_way.pop(call_id, None)
        if order_id is None:
            return
        service = call_id[0]
        self._running.discard(call_id)
        if call_id in self._set_aside:
            self._set_aside.discard(call_id)
        else:
            self._taken[service] -= 1
        self._orders[service, order_id] -= 1
        if not self._orders[service, order_id]:
            del self._orders[service, order_id]


def _named(call: ExternalCall | CallDone) -> dict[str, str]:
    """Return the log fields that identify a call."""
    return {
        "service": call.service,
        "operation": call.operation,
        "order_id": call.order_id,
        "key": call.key,
    }
