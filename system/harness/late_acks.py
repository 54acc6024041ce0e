"""Acknowledgements that reach the batch processor late, perhaps during a later batch."""

from collections import deque

from thespian.actors import ActorAddress

from order_sagas.actors.protocol import NO_BATCH, Ack
from order_sagas.system.harness.faults import LateAcks, Strike


class AckDelays:
    """The faults of acknowledgements by actors, counted over all lives of all workers."""

    def __init__(self, struck: Strike) -> None:
        self._struck = struck
        self._late: dict[int, LateAcks] = {}
        self._acks = 0

    def __bool__(self) -> bool:
        return bool(self._late)

    def plan(self, fault: LateAcks) -> None:
        """Put a fault in force, counted from now on."""
        for i in range(fault.times):
            self._late[self._acks + fault.nth + i] = fault

    def clear(self) -> None:
        """Remove all faults."""
        self._late.clear()

    def delay(self, ack: Ack) -> float:
        """Count an acknowledgement; return by how many seconds it is late. Timers are not."""
        if ack.batch == NO_BATCH:
            return 0.0
        self._acks += 1
        fault = self._late.pop(self._acks, None)
        if fault is None:
            return 0.0
        self._struck(fault, "", f"an acknowledgement of batch {ack.batch}")
        return fault.seconds


class AckQueues:
    """Acknowledgements under way to one processor. Those of one actor stay in order."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[tuple[float, Ack, ActorAddress]]] = {}

    def __bool__(self) -> bool:
        return bool(self._queues)

    def put(self, ack: Ack, sender: ActorAddress, now: float, late: float) -> float | None:
        """Return when the acknowledgement arrives; None if it does so now, and is not queued."""
        queue = self._queues.get(id(sender))
        if queue is None:
            if not late:
                return None
            queue = self._queues[id(sender)] = deque()
        due = max(now + late, queue[-1][0] if queue else 0.0)
        queue.append((due, ack, sender))
        return due

    def take(self, sender: ActorAddress) -> Ack:
        """Remove the oldest acknowledgement of an actor, and return it."""
        queue = self._queues[id(sender)]
        _, ack, _ = queue.popleft()
        if not queue:
            del self._queues[id(sender)]
        return ack
