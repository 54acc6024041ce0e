"""Calls to the outside, made at virtual times; they may fail, or never be heard of again."""

from collections import Counter
from typing import TYPE_CHECKING

import attrs

from actors.delivery import Call
from bridges.outside import Done, outcome_of
from bridges.partitions import partition_for
from system.harness.database import Database
from system.harness.faults import CallFails

if TYPE_CHECKING:
    from system.harness.stage import Stage
    from system.harness.worker import Worker

TAKES = 0.05
"""Seconds of a call."""


@attrs.frozen(eq=False)
class Made:
    """A call that a worker makes: the epoch of its shard when it was asked for."""

    worker: "Worker"
    shard: int
    epoch: int
    trouble: str
    """How it fails, "lost" or "after" say; an empty text if it does not."""


class Calls:
    """What goes wrong with calls, counted over all lives of all workers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._faults: list[CallFails] = []
        self._made: Counter[str] = Counter()
        self.under_way: Made | None = None
        """The call that is being made now."""

    def plan(self, fault: CallFails) -> None:
        """Let it happen."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Let every call succeed."""
        self._faults.clear()

    def trouble(self, key: str) -> str:
        """What happens to this call; an empty text is nothing."""
        order = _order_of(key)
        self._made[order] += 1
        for fault in self._faults:
            if fault.order in ("", order) and fault.nth in (0, self._made[order]):
                return fault.how
        return ""

    def made(self, worker: "Worker", key: str, trouble: str, partitions: int) -> Made:
        """A call that is asked for now."""
        shard = partition_for(_order_of(key).encode(), partitions)
        return Made(worker, shard, self._database.epochs[shard], trouble)

    def may_be_repeated(self, made: Made) -> bool:
        """Whether the call may be made again before its outcome is committed.

        That is so if its answer never came, or if its worker died or lost the shard meanwhile.
        """
        lost = self._database.epochs[made.shard] != made.epoch
        return bool(made.trouble) or not made.worker.alive or lost


class VirtualOutside:
    """The outside of one life of a worker: what it hears of after its death is lost."""

    def __init__(self, stage: "Stage", worker: "Worker") -> None:
        self._stage = stage
        self._worker = worker
        self._open = True
        self._postponed: list[tuple[Call, Done, Made]] = []
        """Calls that were due while the process stood still."""

    def make(self, call: Call, done: Done) -> None:
        stage = self._stage
        trouble = stage.calls.trouble(call.key)
        made = stage.calls.made(self._worker, call.key, trouble, stage.partitions)
        if trouble == "before":
            call = Call(call.key, _fail, call.then)
        elif trouble == "after":
            call = Call(call.key, _failing_after(call), call.then)
        stage.agenda.add(stage.clock.monotonic() + TAKES, lambda: self._happen(call, done, made))

    def resume(self) -> None:
        """The process goes on, with the calls that it was about to make."""
        postponed, self._postponed = self._postponed, []
        now = self._stage.clock.monotonic()
        for each in postponed:
            self._stage.agenda.add(now, lambda each=each: self._happen(*each))  # type: ignore[misc]

    def close(self) -> None:
        self._open = False

    def _happen(self, call: Call, done: Done, made: Made) -> None:
        if self._worker.paused:
            self._postponed.append((call, done, made))
            return
        calls = self._stage.calls
        calls.under_way = made
        outcome = outcome_of(call)
        calls.under_way = None
        if made.trouble != "lost" and self._open:
            done(outcome)


def _order_of(key: str) -> str:
    return key.removesuffix("-refund").partition("/")[0]


def _fail() -> None:
    raise ConnectionError("the outside could not be reached, on purpose")


def _failing_after(call: Call) -> object:
    def make() -> None:
        call.make()
        raise ConnectionError("the answer of the outside was lost, on purpose")

    return make
