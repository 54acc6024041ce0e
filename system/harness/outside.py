"""External calls, made at virtual times; they may fail, or their answers may be lost.

Every call is noted: while the worker lives, none may be made that is under way, and none whose
answer the worker has heard. Nor may one that was answered before a stop in good order.
"""

from collections import Counter
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from actors.delivery import CallId, ExternalCall
from bridges.call_results import CallDone, perform
from bridges.call_runners import Done
from bridges.invariants.touched import Broken
from system.harness.faults import CallFails

if TYPE_CHECKING:
    from system.harness.stage import Stage

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
        self.known: set[CallId] = set()
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
    """The calls of one life of the worker: what is answered after its death is lost."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._open = True
        self._under_way: set[CallId] = set()
        self._answered: set[CallId] = set()

    def run(self, call: ExternalCall, done: Done) -> None:
        stage, calls = self._stage, self._stage.calls
        if call.id in self._under_way:
            calls.on_violation(_twice(call, "while it was under way"))
        if call.id in calls.known:
            calls.on_violation(_twice(call, "although its outcome was known before the last stop"))
        if call.id in self._answered:
            calls.on_violation(_twice(call, "although the worker knew its outcome"))
        self._under_way.add(call.id)
        trouble = calls.trouble(call.order_id)

        def happen() -> None:
            result = perform(_troubled(call, trouble))
            if trouble == "lost":
                gives_up = stage.clock.monotonic() + GIVES_UP
                stage.agenda.add(gives_up, lambda: self._end(result, done))
            else:
                self._end(result, done)

        stage.agenda.add(stage.clock.monotonic() + TAKES, happen)

    def stop(self) -> list[ExternalCall]:
        return []

    def close(self, *, in_good_order: bool = False) -> None:
        """The worker has ended: it hears of nothing any more."""
        self._open = False
        if in_good_order:
            self._stage.calls.known |= self._answered

    def _end(self, result: CallDone, done: Done) -> None:
        self._under_way.discard(result.id)
        if not self._open:
            return
        if not result.failure:
            self._answered.add(result.id)
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
