"""Calls to the outside, made at virtual times; they may fail, or never be heard of again."""

from collections import Counter
from typing import TYPE_CHECKING

from actors.delivery import Call
from bridges.outside import Done, outcome_of
from system.harness.faults import CallFails

if TYPE_CHECKING:
    from system.harness.stage import Stage

TAKES = 0.05
"""Seconds of a call."""


class Calls:
    """What goes wrong with calls, counted over all lives of the worker."""

    def __init__(self) -> None:
        self._faults: list[CallFails] = []
        self._made: Counter[str] = Counter()

    def plan(self, fault: CallFails) -> None:
        """Let it happen."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Let every call succeed."""
        self._faults.clear()

    def trouble(self, key: str) -> str:
        """What happens to this call; an empty text is nothing."""
        order = key.removesuffix("-refund").partition("/")[0]
        self._made[order] += 1
        for fault in self._faults:
            if fault.order in ("", order) and fault.nth in (0, self._made[order]):
                return fault.how
        return ""


class VirtualOutside:
    """The outside of one life of the worker: what it hears of after its death is lost."""

    def __init__(self, stage: "Stage") -> None:
        self._stage = stage
        self._open = True

    def make(self, call: Call, done: Done) -> None:
        stage = self._stage
        trouble = stage.calls.trouble(call.key)
        if trouble == "before":
            call = Call(call.key, _fail, call.then)
        elif trouble == "after":
            call = Call(call.key, _failing_after(call), call.then)

        def happen() -> None:
            outcome = outcome_of(call)
            if trouble != "lost" and self._open:
                done(outcome)

        stage.agenda.add(stage.clock.monotonic() + TAKES, happen)

    def close(self) -> None:
        self._open = False


def _fail() -> None:
    raise ConnectionError("the outside could not be reached, on purpose")


def _failing_after(call: Call) -> object:
    def make() -> None:
        call.make()
        raise ConnectionError("the answer of the outside was lost, on purpose")

    return make
