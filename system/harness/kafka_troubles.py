"""What goes wrong with the simulated Kafka, counted over all lives of all workers."""

from collections.abc import Callable

from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.harness.faults import AckFails, BrokerAway, RefusedAsTooLarge
from order_sagas.system.harness.record_faults import Meddling


class KafkaTroubles:
    """The faults of acknowledgements, requests and large records that are in force."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self.acknowledged = 0
        """Records that a producer has sent."""
        self.requests = 0
        """Records sent, and fetches."""
        self.refused: list[Outgoing] = []
        """Every record that was refused as too large."""
        self._failing: dict[int, bool] = {}
        self._away: dict[int, float] = {}
        self._too_large = Meddling(elapsed)

    def plan(self, fault: AckFails | BrokerAway) -> None:
        """Let it happen, counted from now on."""
        if isinstance(fault, AckFails):
            for i in range(fault.times):
                self._failing[self.acknowledged + fault.nth + i] = fault.written
        else:
            self._away[self.requests + fault.nth] = fault.seconds

    def refuse(self, fault: RefusedAsTooLarge) -> None:
        """Refuse these records, counted from now on."""
        self._too_large.add(fault)

    def accept(self, fault: RefusedAsTooLarge) -> None:
        """Refuse them no longer."""
        self._too_large.remove(fault)

    def clear(self) -> None:
        """Let nothing go wrong any more."""
        self._failing.clear()
        self._away.clear()
        self._too_large.clear()

    def away(self) -> float | None:
        """Count a request; for how many seconds the broker goes away before it, if it does."""
        self.requests += 1
        return self._away.pop(self.requests, None)

    def is_too_large(self, outgoing: Outgoing) -> bool:
        """Whether Kafka refuses the record; it refuses the same one again."""
        if not self._too_large:
            return False
        if outgoing in self.refused or self._too_large.hits(outgoing):
            self.refused.append(outgoing)
            return True
        return False

    def acknowledgement(self) -> bool | None:
        """Count a record that is sent; whether it was written though that fails, None if not."""
        self.acknowledged += 1
        return self._failing.pop(self.acknowledged, None)
