"""Faults of the simulated Kafka, counted over all lives of all workers."""

from collections.abc import Callable

from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.harness.faults import AckFails, BrokerAway, RefusedAsTooLarge, Strike
from order_sagas.system.harness.record_faults import Meddling, head_of


class KafkaTroubles:
    """The faults of acknowledgements, requests and large records that are in force."""

    def __init__(self, elapsed: Callable[[], float], struck: Strike) -> None:
        self._struck = struck
        self.acknowledged = 0
        """Number of records that producers have sent."""
        self.requests = 0
        """Number of requests: records sent, and fetches."""
        self.refused: list[Outgoing] = []
        """All records that were refused as too large."""
        self._failing: dict[int, AckFails] = {}
        self._away: dict[int, BrokerAway] = {}
        self._too_large = Meddling(elapsed, struck)

    def plan(self, fault: AckFails | BrokerAway) -> None:
        """Put a fault in force, counted from now on."""
        if isinstance(fault, AckFails):
            for i in range(fault.times):
                self._failing[self.acknowledged + fault.nth + i] = fault
        else:
            self._away[self.requests + fault.nth] = fault

    def refuse(self, fault: RefusedAsTooLarge) -> None:
        """Refuse matching records, counted from now on."""
        self._too_large.add(fault)

    def accept(self, fault: RefusedAsTooLarge) -> None:
        """Take the fault out of force."""
        self._too_large.remove(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._failing.clear()
        self._away.clear()
        self._too_large.clear()

    def away(self) -> float | None:
        """Count a request. Return the seconds of an outage that begins with it, or None."""
        self.requests += 1
        fault = self._away.pop(self.requests, None)
        if fault is None:
            return None
        self._struck(fault, "", "Kafka")
        return fault.seconds

    def is_too_large(self, outgoing: Outgoing) -> bool:
        """Return True if Kafka refuses the record; it keeps refusing the same record."""
        if not self._too_large:
            return False
        if outgoing in self.refused or self._too_large.hits(outgoing):
            self.refused.append(outgoing)
            return True
        return False

    def acknowledgement(self, outgoing: Outgoing) -> bool | None:
        """Count a sent record.

        Return None if it is acknowledged; otherwise True if it is written nevertheless.
        """
        self.acknowledged += 1
        fault = self._failing.pop(self.acknowledged, None)
        if fault is None:
            return None
        self._struck(fault, head_of(outgoing.value).order_id, head_of(outgoing.value).status)
        return fault.written
