"""Faults of records in transit: which of them match a record, and their effect."""

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from order_sagas.actors.sagas.locks import PREFIX as LOCK
from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.harness.faults import (
    Corrupt,
    Delay,
    Drop,
    Duplicate,
    RecordFault,
    Reorder,
    Strike,
)

AT_ONCE, BEHIND = -1.0, 0.0
"""Values of `Trip.wait`: in the same batch, and after the records written by now."""


class Trip(NamedTuple):
    """A record and its delay: `AT_ONCE`, `BEHIND`, or a number of seconds."""

    wait: float
    outgoing: Outgoing


class Head(msgspec.Struct, rename="camel"):
    """The fields of a record that faults match."""

    status: str = ""
    order_id: str = ""
    step: str = ""
    saga_id: str = ""

    @property
    def about(self) -> str:
        """The order id that faults match: that of the saga, if it asks for a lock."""
        return order_of(self.order_id, self.saga_id)


def order_of(order_id: str, saga_id: str) -> str:
    """Return the order that a message is about. The order id of a lock's command is its key."""
    return saga_id.partition("/")[2] if order_id.startswith(LOCK) and saga_id else order_id


_head = msgspec.json.Decoder(Head)


def head_of(value: bytes | None) -> Head:
    """Decode status, order id and step of a record; empty texts if it cannot be read."""
    try:
        return _head.decode(value or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError):
        return Head()


class _Rule:
    """A fault in force, and the number of records that it has matched."""

    __slots__ = ("count", "fault")

    def __init__(self, fault: RecordFault) -> None:
        self.fault = fault
        self.count = 0


class Meddling:
    """The record faults in force, indexed by status and order id."""

    def __init__(self, elapsed: Callable[[], float], struck: Strike) -> None:
        self._elapsed = elapsed
        self._struck = struck
        self._rules: dict[tuple[str, str], list[_Rule]] = {}

    def __bool__(self) -> bool:
        return bool(self._rules)

    def add(self, fault: RecordFault) -> None:
        """Put a fault in force, counted from now on."""
        self._rules.setdefault((fault.status, fault.order), []).append(_Rule(fault))

    def remove(self, fault: RecordFault) -> None:
        """Take a fault out of force."""
        key = (fault.status, fault.order)
        rules = self._rules.get(key, [])
        rules[:] = [rule for rule in rules if rule.fault is not fault]
        if not rules:
            self._rules.pop(key, None)

    def clear(self) -> None:
        """Remove all faults."""
        self._rules.clear()

    def trips(self, outgoing: Outgoing) -> list[Trip] | None:
        """Return the copies of a record that arrive; None if no fault matches it."""
        hits = self.hits(outgoing)
        if not hits:
            return None
        trips = [Trip(AT_ONCE, outgoing)]
        for fault in hits:
            trips = [each for trip in trips for each in _changed(trip, fault)]
        return trips

    def hits(self, outgoing: Outgoing) -> list[RecordFault]:
        """Return the faults that affect a record; each matching fault counts it."""
        head = head_of(outgoing.value)
        status, order, known = head.status, head.about, self._rules
        named = dict.fromkeys(((status, order), (status, ""), ("", order), ("", "")))
        hits = [rule.fault for key in named for rule in known.get(key, ()) if self._hit(rule)]
        for fault in hits:
            self._struck(fault, order, status)
        return hits

    def _hit(self, rule: _Rule) -> bool:
        fault = rule.fault
        if not fault.since <= self._elapsed() < fault.until:
            return False
        rule.count += 1
        return fault.nth in (0, rule.count)


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
    raise TypeError(f"{fault} is not a fault of a record")


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
