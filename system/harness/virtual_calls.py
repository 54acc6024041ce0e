"""External calls at virtual times, with injected failures and lost answers.

Every call is checked: while the same worker owns the shard, it must not repeat a call that is in
progress or whose outcome it has received. A call whose outcome was received before a regular stop
must not be repeated either, except by a worker that was suspended between its commit and the call,
and has lost the shard without knowing it: the key of the call is what protects against that.
"""

from collections.abc import Callable
from typing import Protocol

import msgspec

from order_sagas.actors.protocol import ExternalCall
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.bridges.processor.call_results import CallDone, perform
from order_sagas.bridges.processor.call_runners import Done
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.system.harness.call_faults import Calls, Handovers
from order_sagas.system.harness.environment import Stage
from order_sagas.system.harness.incidents import Called

TAKES = 0.05
"""Duration of a call, in seconds."""
GIVES_UP = 45.0
"""Seconds after which a client gives up waiting; longer than the deadlines of some steps."""


class Pausable(Protocol):
    """The part of a `Worker` that its calls use."""

    @property
    def paused(self) -> bool:
        """True while the whole process is suspended."""
        ...


class VirtualCalls:
    """The calls of one life of a worker. Outcomes after its end are lost."""

    def __init__(self, stage: Stage, worker: Pausable) -> None:
        self._stage = stage
        self._worker = worker
        self._open = True
        self._under_way: Handovers = {}
        self._answered: Handovers = {}
        self._postponed: list[Callable[[], None]] = []
        """Actions that fell due while the process was paused."""

    def run(self, call: ExternalCall, done: Done) -> None:
        """Make a call at a later virtual time, and pass its result to `done`."""
        stage, calls = self._stage, self._stage.calls
        handover = self._handover(call.order_id)
        if self._under_way.get(call.id) == handover:
            calls.on_violation(_twice(call, "while it was under way"))
        if self._owns(call.order_id) and calls.known.get(call.id) == handover:
            calls.on_violation(_twice(call, "although its outcome was known before the last stop"))
        if self._answered.get(call.id) == handover:
            calls.on_violation(_twice(call, "although the worker knew its outcome"))
        self._under_way[call.id] = handover
        trouble = calls.trouble(call.order_id)

        def happen() -> None:
            if self._worker.paused:
                self._postponed.append(happen)
                return
            if trouble != "before":
                subject = call.service, call.operation, call.order_id
                calls.keys.setdefault(subject, {})[call.key] = None
            called = Called(call.service, call.operation, call.key, trouble)
            stage.incidents.note(call.order_id, called)
            result = perform(_troubled(call, trouble, calls))

            def end() -> None:
                if self._worker.paused:
                    self._postponed.append(end)
                else:
                    self._end(result, done)

            if trouble == "lost":
                stage.agenda.add(stage.clock.monotonic() + GIVES_UP, end)
            else:
                end()

        stage.agenda.add(stage.clock.monotonic() + TAKES, happen)

    def resume(self) -> None:
        """Continue after a pause with the actions that fell due meanwhile."""
        postponed, self._postponed = self._postponed, []
        for each in postponed:
            self._stage.agenda.add(self._stage.clock.monotonic(), each)

    def stop(self) -> list[ExternalCall]:
        """Return the calls that were not started: none, since there is no queue."""
        return []

    def close(self, *, in_good_order: bool = False) -> None:
        """Drop all further outcomes. `in_good_order` records the received ones as known."""
        self._open = False
        if in_good_order:
            self._stage.calls.known |= self._answered

    def _handover(self, order_id: str) -> int:
        return self._stage.database.handovers[self._shard(order_id)]

    def _owns(self, order_id: str) -> bool:
        return self._stage.database.owner(self._shard(order_id)) is self._worker

    def _shard(self, order_id: str) -> int:
        return partition_for(order_id.encode(), self._stage.partitions)

    def _end(self, result: CallDone, done: Done) -> None:
        handover = self._under_way.pop(result.id, 0)
        if not self._open:
            return
        if not result.failure:
            self._answered[result.id] = handover
            self._stage.calls.heard[result.id] += 1
        done(result)


def _twice(call: ExternalCall, when: str) -> Broken:
    return Broken("called once", call.order_id, f"{call.service}: {call.operation} again, {when}")


def _troubled(call: ExternalCall, trouble: str, calls: Calls) -> ExternalCall:
    """Return the call with its injected failure. Its real result is noted in `calls`."""

    def make() -> object:
        if trouble == "before":
            raise ConnectionError("the outside could not be reached, on purpose")
        result = call.make()
        calls.note_reply(call, result)
        if trouble == "after":
            raise ConnectionError("the answer of the outside was lost, on purpose")
        if trouble == "lost":
            raise TimeoutError("the outside did not answer, on purpose")
        return result

    return msgspec.structs.replace(call, make=make)
