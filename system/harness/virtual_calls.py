"""External calls, made at virtual times; they may fail, or their answers may be lost.

Every call is noted: while a worker lives and no other worker takes its shard over, none may be
made that is under way, and none whose answer the worker has heard. Nor may one that was answered
before a stop in good order.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from order_sagas.actors.protocol import CallId, ExternalCall
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.bridges.processor.call_results import CallDone, perform
from order_sagas.bridges.processor.call_runners import Done
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.system.harness.faults import CallFails

if TYPE_CHECKING:
    from order_sagas.system.harness.environment import Stage
    from order_sagas.system.harness.simulated_worker import Worker

Handovers = dict[CallId, int]
"""Calls, each with how often its shard had been taken over from another worker by then."""

TAKES = 0.05
"""Seconds of a call."""
GIVES_UP = 45.0
"""Seconds after which a client takes an answer for lost; some deadlines pass before that."""


class Calls:
    """What goes wrong with calls, and which were made, over all lives of the worker."""

    def __init__(self) -> None:
        self._faults: list[CallFails] = []
        self._made: Counter[str] = Counter()
        self.heard: Counter[CallId] = Counter()
        """How often a worker was told what became of each call; failures are not counted."""
        self.known: Handovers = {}
        """The calls that were answered in lives of the worker that ended in good order."""
        self.on_violation: Callable[[Broken], None] = _ignore

    def plan(self, fault: CallFails) -> None:
        """Let it happen."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Let every call succeed."""
        self._faults.clear()

    def trouble(self, order_id: str) -> str:
        """What happens to this call; an empty text is nothing."""
        self._made[order_id] += 1
        for fault in self._faults:
            if fault.order in ("", order_id) and fault.nth in (0, self._made[order_id]):
                return fault.how
        return ""


def _ignore(violation: Broken) -> None:
    """Nobody has asked for violations yet."""


class VirtualCalls:
    """The calls of one life of a worker: what is answered after its death is lost."""

    def __init__(self, stage: "Stage", worker: "Worker") -> None:
        self._stage = stage
        self._worker = worker
        self._open = True
        self._under_way: Handovers = {}
        self._answered: Handovers = {}
        self._postponed: list[Callable[[], None]] = []
        """What was due while the process stood still."""

    def run(self, call: ExternalCall, done: Done) -> None:
        stage, calls = self._stage, self._stage.calls
        handover = self._handover(call.order_id)
        if self._under_way.get(call.id) == handover:
            calls.on_violation(_twice(call, "while it was under way"))
        if calls.known.get(call.id) == handover:
            calls.on_violation(_twice(call, "although its outcome was known before the last stop"))
        if self._answered.get(call.id) == handover:
            calls.on_violation(_twice(call, "although the worker knew its outcome"))
        self._under_way[call.id] = handover
        trouble = calls.trouble(call.order_id)

        def happen() -> None:
            if self._worker.paused:
                self._postponed.append(happen)
                return
            result = perform(_troubled(call, trouble))

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
        """The process goes on, with the calls that it was about to make."""
        postponed, self._postponed = self._postponed, []
        for each in postponed:
            self._stage.agenda.add(self._stage.clock.monotonic(), each)

    def stop(self) -> list[ExternalCall]:
        return []

    def close(self, *, in_good_order: bool = False) -> None:
        """The worker has ended: it hears of nothing any more."""
        self._open = False
        if in_good_order:
            self._stage.calls.known |= self._answered

    def _handover(self, order_id: str) -> int:
        shard = partition_for(order_id.encode(), self._stage.partitions)
        return self._stage.database.handovers[shard]

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


def _troubled(call: ExternalCall, trouble: str) -> ExternalCall:
    """The call, with what goes wrong with it."""

    def make() -> object:
        if trouble == "before":
            raise ConnectionError("the outside could not be reached, on purpose")
        result = call.make()
        if trouble == "after":
            raise ConnectionError("the answer of the outside was lost, on purpose")
        if trouble == "lost":
            raise TimeoutError("the outside did not answer, on purpose")
        return result

    return msgspec.structs.replace(call, make=make)
