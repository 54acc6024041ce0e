"""Faults of external calls, and counts of the calls, over all lives of all workers."""

from collections import Counter
from collections.abc import Callable

import msgspec

from order_sagas.actors.messages import Message
from order_sagas.actors.protocol import CallId, ExternalCall
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.system.harness.faults import CallFails

Handovers = dict[CallId, int]
"""Calls, each with the number of times that its shard had moved to another worker by then."""


class Calls:
    """The faults of external calls that are in force, and a record of the calls made."""

    def __init__(self) -> None:
        self._faults: list[CallFails] = []
        self._made: Counter[str] = Counter()
        self.heard: Counter[CallId] = Counter()
        """Number of successful outcomes that a worker received, by call."""
        self.keys: dict[tuple[str, str, str], dict[str, None]] = {}
        """The keys with which calls were made, in order, by service, operation and order id."""
        self.replies: dict[tuple[str, str, str], dict[str, None]] = {}
        """The different replies of successful calls, as JSON, by service, order id and key."""
        self.known: Handovers = {}
        """Calls whose outcome a worker had received before a regular stop."""
        self.on_violation: Callable[[Broken], None] = _ignore

    def note_reply(self, call: ExternalCall, result: object) -> None:
        """Note the result of a successful call, even if its outcome is lost."""
        if isinstance(result, Message):
            made = self.replies.setdefault((call.service, call.order_id, call.key), {})
            made[msgspec.json.encode(result).decode()] = None

    def plan(self, fault: CallFails) -> None:
        """Put a fault in force."""
        self._faults.append(fault)

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def trouble(self, order_id: str) -> str:
        """Count a call about an order. Return how it fails (`CallFails.how`), or ""."""
        self._made[order_id] += 1
        for fault in self._faults:
            if fault.order in ("", order_id) and fault.nth in (0, self._made[order_id]):
                return fault.how
        return ""


def _ignore(violation: Broken) -> None:
    """Drop a violation: `on_violation` is not set."""
