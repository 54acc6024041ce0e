"""Calls to external systems, made after the commit that stored the intention to make them.

What a service asks for is stored first (its entity is `pending`), and the call is made after that
commit, never on the loop's thread. The result comes back as a message, the outcome, which a later
batch handles. In between the call is under way, and while it is, no other call with its id is made:
neither the retry of a saga nor a batch that is rolled back and handled again makes it twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable

import structlog

from actors.delivery import CallId, ExternalCall
from bridges.call_results import CallDone
from bridges.call_runners import CallRunner

log = structlog.get_logger("external_calls")

CAPACITY = 1000
"""Calls of one service that may be under way: running, waiting for a thread, or with an outcome
that is not committed yet. Others wait in the database."""


class ExternalCalls:
    """Knows which calls are under way, and limits how many are. Used by the loop's thread alone.

    `on_done` is told of each result, by any thread; whoever gets it hands it to `finished`. A call
    for which there is no capacity is refused: it stays in the database as the entity that owes it,
    and `take_refused` names its service, so that it is read again once there is capacity.
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
        """The order of each call that is under way."""
        self._orders: Counter[tuple[str, str]] = Counter()
        """How many calls are under way for each service and order."""
        self._taken: Counter[str] = Counter()
        """How much of the capacity of each service is taken."""
        self._running: set[CallId] = set()
        """Those whose result has not come yet."""
        self._set_aside: set[CallId] = set()
        """Those whose outcome waits for a shard that is another worker's: they take no capacity."""
        self._refused: set[str] = set()
        self._stopped = False
        self._closed = False

    # --- what is under way --------------------------------------------------------------------

    @property
    def running(self) -> int:
        """How many results have not come yet."""
        return len(self._running)

    def counts(self) -> dict[str, int]:
        """How many calls are under way, by service."""
        return {service: count for service, count in self._taken.items() if count}

    def room(self, service: str) -> int:
        """How many calls of a service can be taken now."""
        return 0 if self._stopped else self.capacity - self._taken[service]

    def is_under_way(self, service: str, order_id: str) -> bool:
        """Whether a call of a service about an order is under way."""
        return (service, order_id) in self._orders

    @property
    def refused(self) -> bool:
        """Whether calls were refused since `take_refused` was asked last."""
        return bool(self._refused)

    def take_refused(self) -> set[str]:
        """The services of which calls were refused since this was asked last."""
        refused, self._refused = self._refused, set()
        return refused

    # --- the life of a call -------------------------------------------------------------------

    def issue(self, calls: Iterable[ExternalCall]) -> None:
        """Make these calls, whose intentions are committed, but those that are under way."""
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
        """Note that a call is over, and tell what went wrong; it is under way until `settled`."""
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
        """Note that the outcomes of these calls are committed, or given up."""
        for call_id in ids:
            self._forget(call_id)

    def set_aside(self, call_id: CallId) -> None:
        """Take no capacity for a call whose outcome waits for its shard; it stays under way."""
        if call_id in self._under_way and call_id not in self._set_aside:
            self._set_aside.add(call_id)
            self._taken[call_id[0]] -= 1

    def stop(self) -> None:
        """Begin no more calls; those that run may still report. The database tells what is owed."""
        self._stopped = True
        self.settled(call.id for call in self._runner.stop())

    def close(self) -> None:
        """Stop, and drop the results of calls that still run: nobody is left to store them."""
        self.stop()
        self._closed = True

    def _report(self, done: CallDone) -> None:
        """Called by the threads that make calls."""
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
    """The fields by which the logs name a call."""
    return {
        "service": call.service,
        "operation": call.operation,
        "order_id": call.order_id,
        "key": call.key,
    }
