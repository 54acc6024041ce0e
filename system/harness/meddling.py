"""Which faults hit a record on its way, and what becomes of it."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from bridges.record import Outgoing
from system.harness.faults import Corrupt, Delay, Drop, Duplicate, RecordFault, Reorder

AT_ONCE, BEHIND = -1.0, 0.0


class Trip(NamedTuple):
    """A record, and when it arrives: at once, behind the others, or after so many seconds."""

    wait: float
    outgoing: Outgoing


class Head(msgspec.Struct, rename="camel"):
    """What is looked at of a record."""

    status: str = ""
    order_id: str = ""
    step: str = ""


_head = msgspec.json.Decoder(Head)


def head_of(value: bytes | None) -> Head:
    """Status and order of a record; empty ones if it has none that can be read."""
    try:
        return _head.decode(value or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Head()


class Meddling:
    """The record faults that are in force. Those that name a status are found by it."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._rules: dict[str, list[list[RecordFault | int]]] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, fault: RecordFault) -> None:
        """Put a fault in force; it counts from now on."""
        self._rules.setdefault(fault.status, []).append([fault, 0])

    def remove(self, fault: RecordFault) -> None:
        """Take a fault out of force."""
        rules = self._rules.get(fault.status, [])
        rules[:] = [rule for rule in rules if rule[0] is not fault]
        if not rules:
            self._rules.pop(fault.status, None)

    def clear(self) -> None:
        """Let every record pass."""
        self._rules.clear()

    def trips(self, outgoing: Outgoing) -> list[Trip] | None:
        """What becomes of a record; None if nothing happens to it."""
        head = head_of(outgoing.value)
        hits = [
            fault
            for key in dict.fromkeys((head.status, ""))
            for rule in self._rules.get(key, ())
            if (fault := self._hit(rule, head))
        ]
        if not hits:
            return None
        trips = [Trip(AT_ONCE, outgoing)]
        for fault in hits:
            trips = [each for trip in trips for each in _changed(trip, fault)]
        return trips

    def _hit(self, rule: list[RecordFault | int], head: Head) -> RecordFault | None:
        fault, count = rule
        assert isinstance(fault, RecordFault)
        assert isinstance(count, int)
        if fault.order and fault.order != head.order_id:
            return None
        if not fault.since <= self._elapsed() < fault.until:
            return None
        rule[1] = count + 1
        return fault if fault.nth in (0, count + 1) else None


def _changed(trip: Trip, fault: RecordFault) -> list[Trip]:
    wait, outgoing = trip
    if isinstance(fault, Drop):
        return []
    if isinstance(fault, Duplicate):
        return [trip, *[Trip(max(wait, BEHIND) + fault.later, outgoing)] * fault.times]
    if isinstance(fault, Delay):
        return [Trip(max(wait, BEHIND) + fault.seconds, outgoing)]
    if isinstance(fault, Reorder):
        return [Trip(max(wait, BEHIND), outgoing)]
    if isinstance(fault, Corrupt):
        return [Trip(max(wait, BEHIND), _damaged(outgoing, fault.how))]
    raise TypeError(f"{fault} is no fault of a record")


def _damaged(outgoing: Outgoing, how: str) -> Outgoing:
    value = outgoing.value or b""
    if how == "truncated":
        return replace(outgoing, value=value[: len(value) // 2])
    if how == "garbled":
        return replace(outgoing, value=b"\xff" + value[1:])
    if how == "emptied":
        return replace(outgoing, value=None)
    if how == "unknown":
        return replace(outgoing, value=value.replace(b'"status":"', b'"status":"NO_', 1))
    raise ValueError(f"damage is truncated, garbled, emptied or unknown, not {how!r}")
