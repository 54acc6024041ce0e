"""Puts faults in force: dispatches each kind to the part of the environment that it affects."""

from collections.abc import Callable, Mapping
from functools import partial, singledispatch
from typing import TYPE_CHECKING, Any, Protocol

from order_sagas.actors.messages import status
from order_sagas.actors.sagas.registry import Registry
from order_sagas.system.harness import faults

if TYPE_CHECKING:
    from order_sagas.system.harness.environment import Stage
    from order_sagas.system.harness.invariant_monitor import Ledger
    from order_sagas.system.harness.simulated_kafka import SimulatedKafka
    from order_sagas.system.harness.simulated_worker import Worker

Timed = (
    faults.WorkerStarts | faults.WorkerStops | faults.ClockSkew | faults.ClockJump
    | faults.Operator | faults.Put
)  # fmt: skip
"""Faults that strike at a time."""
Undo = Callable[[], None]
"""Takes a fault out of force."""


class FaultTarget(Protocol):
    """The part of a `Harness` that faults act on; see there for the methods."""

    stage: "Stage"
    ledger: "Ledger"
    kafka: "SimulatedKafka | None"
    replies: dict[str, list[str]]

    @property
    def workers(self) -> "Mapping[int, Worker]":
        """The running workers, by number."""
        ...

    def pause_worker(self, worker: "Worker", seconds: float, *, whole: bool = True) -> None:
        """Suspend a worker."""
        ...

    def add_worker(self) -> int:
        """Start one more worker."""
        ...

    def remove_worker(self, number: int, *, killed: bool) -> None:
        """Stop a worker for good."""
        ...

    def crash(self, number: int | None = None) -> None:
        """Kill a worker."""
        ...

    def stop(self, number: int | None = None) -> None:
        """Stop a worker in good order."""
        ...

    def restart(self, number: int | None = None) -> None:
        """Start a worker again."""
        ...

    def skew(self, number: int, seconds: float, drift: float) -> None:
        """Skew the wall clock of a worker."""
        ...

    def operator(
        self, order_id: str, action: str, step: str = "", why: str = "because", saga: str = ""
    ) -> None:
        """Send an operator's command."""
        ...

    def publish(self, topic: str, record: Any, key: str | None = None) -> None:
        """Append a record to a topic."""
        ...


def _nothing() -> None:
    """The effect of this fault cannot be taken back."""


@singledispatch
def put_in_force(fault: faults.Fault, harness: FaultTarget) -> Undo:
    """Put a fault in force from now on, and return the function that takes it out of force.

    Raises TypeError for an unknown kind of fault.
    """
    raise TypeError(f"unknown kind of fault: {fault}")


@put_in_force.register(faults.RecordFault)
def _(fault: faults.RecordFault, harness: FaultTarget) -> Undo:
    harness.stage.meddling.add(fault)
    return partial(harness.stage.meddling.remove, fault)


@put_in_force.register(faults.ServiceFault)
def _(fault: faults.ServiceFault, harness: FaultTarget) -> Undo:
    harness.stage.troubles.add(fault)
    return partial(harness.stage.troubles.remove, fault)


@put_in_force.register(faults.Slow)
@put_in_force.register(faults.LosesReplies)
@put_in_force.register(faults.AnswersTwice)
def _(fault: faults.ServiceFault, harness: FaultTarget) -> Undo:
    undos = [
        put_in_force(_of_reply(fault, status), harness)
        for status in harness.replies.get(fault.service, ())
    ]

    def undo() -> None:
        for each in undos:
            each()

    return undo


def _of_reply(fault: faults.ServiceFault, status: str) -> faults.RecordFault:
    which = (status, fault.order, 0, fault.since, fault.until)
    if isinstance(fault, faults.Slow):
        return faults.Delay(*which, seconds=fault.seconds)
    if isinstance(fault, faults.AnswersTwice):
        return faults.Duplicate(*which, later=fault.later)
    return faults.Drop(*which)


def _note_at_point(
    fault: faults.Crash | faults.Pause | faults.Rebalance, harness: FaultTarget
) -> None:
    """Note when a worker reaches the point of a fault, before the fault strikes."""

    def note(worker: "Worker") -> None:
        harness.stage.incidents.struck(fault, "", f"worker {worker.number}")

    harness.stage.points.plan_act(fault.point, fault.nth, note)


def _plan(fault: Timed, harness: FaultTarget, what: str, act: Callable[[], object]) -> None:
    """Let a fault strike at its time; `what` is what it strikes."""

    def strike() -> None:
        order_id = fault.order if isinstance(fault, faults.Operator) else ""
        harness.stage.incidents.struck(fault, order_id, what)
        act()

    harness.stage.agenda.add(fault.at, strike)


@put_in_force.register(faults.Crash)
def _(fault: faults.Crash, harness: FaultTarget) -> Undo:
    _note_at_point(fault, harness)
    harness.stage.points.plan(fault)
    return _watch_messages(harness)


@put_in_force.register(faults.Pause)
def _(fault: faults.Pause, harness: FaultTarget) -> Undo:
    def pause(worker: "Worker") -> None:
        harness.pause_worker(worker, fault.seconds, whole=fault.whole)

    _note_at_point(fault, harness)
    harness.stage.points.plan_act(fault.point, fault.nth, pause)
    return _watch_messages(harness)


@put_in_force.register(faults.Rebalance)
def _(fault: faults.Rebalance, harness: FaultTarget) -> Undo:
    def rebalance(worker: "Worker") -> None:
        if worker.kafka and harness.kafka:
            worker.kafka.rebalance(fault.seconds, lost=fault.lost)
            harness.kafka.step()  # the client's thread may notice it in the middle of a batch

    _note_at_point(fault, harness)
    harness.stage.points.plan_act(fault.point, fault.nth, rebalance)
    return _watch_messages(harness)


def _watch_messages(harness: FaultTarget) -> Undo:
    for worker in harness.workers.values():
        worker.watch_messages()
    return _nothing


@put_in_force.register(faults.RefusedAsTooLarge)
def _(fault: faults.RefusedAsTooLarge, harness: FaultTarget) -> Undo:
    harness.stage.kafka_troubles.refuse(fault)
    return partial(harness.stage.kafka_troubles.accept, fault)


@put_in_force.register(faults.AckFails)
@put_in_force.register(faults.BrokerAway)
def _(fault: faults.AckFails | faults.BrokerAway, harness: FaultTarget) -> Undo:
    harness.stage.kafka_troubles.plan(fault)
    return _nothing


@put_in_force.register(faults.WorkerStarts)
def _(fault: faults.WorkerStarts, harness: FaultTarget) -> Undo:
    def begin() -> None:
        if harness.kafka:
            harness.add_worker()

    _plan(fault, harness, "a worker", begin)
    return _nothing


@put_in_force.register(faults.WorkerStops)
def _(fault: faults.WorkerStops, harness: FaultTarget) -> Undo:
    def end() -> None:
        if fault.down < faults.FOREVER:
            (harness.crash if fault.killed else harness.stop)(fault.worker)
        elif harness.kafka:
            harness.remove_worker(fault.worker, killed=fault.killed)

    _plan(fault, harness, f"worker {fault.worker}", end)
    if fault.down < faults.FOREVER:
        again = partial(harness.restart, fault.worker)
        harness.stage.agenda.add(fault.at + fault.down, again)
    return _nothing


@put_in_force.register(faults.ClockSkew)
def _(fault: faults.ClockSkew, harness: FaultTarget) -> Undo:
    skew = partial(harness.skew, fault.worker, fault.seconds, fault.drift)
    _plan(fault, harness, f"the clock of worker {fault.worker}", skew)
    return _nothing


@put_in_force.register(faults.CommitFails)
@put_in_force.register(faults.LosesShard)
@put_in_force.register(faults.ReadFails)
def _(
    fault: faults.CommitFails | faults.LosesShard | faults.ReadFails, harness: FaultTarget
) -> Undo:
    harness.stage.database.plan(fault)
    return _nothing


@put_in_force.register(faults.LateAcks)
def _(fault: faults.LateAcks, harness: FaultTarget) -> Undo:
    harness.stage.ack_delays.plan(fault)
    return _nothing


@put_in_force.register(faults.CallFails)
def _(fault: faults.CallFails, harness: FaultTarget) -> Undo:
    harness.stage.calls.plan(fault)
    return _nothing


@put_in_force.register(faults.ClockJump)
def _(fault: faults.ClockJump, harness: FaultTarget) -> Undo:
    clock = harness.stage.clock
    harness.ledger.clock_is_steady &= fault.seconds >= 0
    _plan(fault, harness, "the clock", partial(clock.shift, fault.seconds))
    return _nothing


@put_in_force.register(faults.Operator)
def _(fault: faults.Operator, harness: FaultTarget) -> Undo:
    ask = partial(harness.operator, fault.order, fault.action, fault.step)
    _plan(fault, harness, "an operator", ask)
    return _nothing


@put_in_force.register(faults.Put)
def _(fault: faults.Put, harness: FaultTarget) -> Undo:
    put = partial(harness.publish, fault.topic, fault.value.encode(), fault.key or None)
    _plan(fault, harness, fault.topic, put)
    return _nothing


def replies_of(registry: Registry) -> dict[str, list[str]]:
    """Return the statuses of the replies of each participant."""
    found: dict[str, dict[str, None]] = {}
    for saga in registry:
        for step in saga.rows:
            for reply in (step.done, step.failed, step.undone, step.unknown):
                if reply:
                    found.setdefault(step.to.name, {})[status(reply)] = None
    return {name: list(statuses) for name, statuses in found.items()}
