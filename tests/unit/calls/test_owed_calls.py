"""Pending calls are read from the database a page at a time."""

from types import SimpleNamespace
from typing import Any

from order_sagas.actors.services.notifications import NotificationService
from order_sagas.bridges.processor.external_calls import ExternalCalls
from order_sagas.bridges.processor.owed_calls import OwedCalls
from tests.support.calls import HeldCalls, a_call

ROWS = [(1, "o-1"), (2, "o-2"), (3, "o-3")]


def test_calls_refused_during_a_read_are_read_again_at_once() -> None:
    """An empty page opens no batch, and only a batch reads the next page."""

    def rows(entity: Any, shards: Any, after: int, limit: int) -> list[tuple[int, str]]:
        return [row for row in ROWS if row[0] > after][:limit]

    store: Any = SimpleNamespace(owed=rows)
    calls = ExternalCalls(HeldCalls(), lambda done: None, capacity=2)
    owed = OwedCalls(store, calls, [NotificationService])
    name = NotificationService.participant.name
    owed.begin()
    assert ["o-1", "o-2"] == [each.order_id for each in owed.next(2, [0])]
    calls.issue(a_call(key, service=name) for key in ("o-3", "o-4", "o-1"))  # no room for o-1
    calls.settled([(name, "charge", "o-4"), (name, "charge", "o-3")])
    ROWS.pop()  # o-3 is done

    assert ["o-1", "o-2"] == [each.order_id for each in owed.next(2, [0])]
