"""The example of an external call keeps its promises over HTTP, with faults, crashes, two workers.

The carrier is a real HTTP server; the system around it runs on virtual time.
"""

import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from examples.parcel_label import SEND_PARCEL, Carrier, Desk, Label, ParcelPacked
from order_sagas.system.harness import (
    CANCELLED,
    COMPLETED,
    CallFails,
    Crash,
    Drop,
    Fault,
    Harness,
    minutes,
)
from tests.support.carrier import CarrierServer, a_carrier

POINTS = ("before commit", "after commit", "after publish", "after send", "before message")


@pytest.fixture
def carrier(monkeypatch: pytest.MonkeyPatch) -> Iterator[CarrierServer]:
    """A carrier, at the URL that the example uses."""
    with a_carrier() as server:
        monkeypatch.setenv("CARRIER_URL", server.url)
        yield server


def a_harness(*faults: Fault, **arguments: Any) -> Harness:
    """A harness that runs only parcels."""
    return Harness(
        sagas=[SEND_PARCEL], services=[Carrier, Desk], order="fifo", faults=faults, **arguments
    )


def send(system: Harness, order_id: str, grams: int = 500) -> None:
    """Start the saga of a parcel, and let it end."""
    parcel = ParcelPacked(order_id=order_id, address=f"street {order_id}", grams=grams)
    system.publish("carrier-events", parcel)
    system.advance(minutes(30))


def label(system: Harness, order_id: str) -> Label:
    """The stored label of a parcel."""
    found = system.books.of(Label, order_id)
    assert isinstance(found, Label)
    return found


def test_a_label_is_bought_once(carrier) -> None:
    """The intention is stored, the call made, the outcome stored."""
    with a_harness() as system:
        send(system, "P-2")

        system.expect("P-2").to_be(COMPLETED)
        system.expect_no_violations()
        found = label(system, "P-2")
    assert ("COMPLETED", 1, 0, "") == (found.status, found.made, found.undone, found.command)
    assert {"P-2/do": "street P-2"} == carrier.labels
    assert [("POST", "P-2/do")] == carrier.requests


def test_a_refused_label_cancels_the_parcel(carrier) -> None:
    """The saga has the code and the text of the refusal."""
    with a_harness() as system:
        send(system, "P-2", grams=0)

        system.expect("P-2").to_be(CANCELLED)
        (saga,) = system.books.sagas()
        assert "FAILED" == label(system, "P-2").status
    assert ("bad_parcel", "a parcel without weight") == (saga.code, saga.reason)
    assert {} == carrier.labels


def test_a_label_without_a_pickup_is_made_void(carrier) -> None:
    """By another call with another key."""
    with a_harness() as system:
        send(system, "P-1")

        system.expect("P-1").to_be(CANCELLED)
        found = label(system, "P-1")
        system.expect_no_violations()
    assert ("UNDONE", 1, 1) == (found.status, found.made, found.undone)
    assert [("POST", "P-1/do"), ("DELETE", "P-1/undo")] == carrier.requests
    assert ["L-P-1"] == carrier.voided


@pytest.mark.parametrize("fault", ["before", "after"])
def test_an_error_of_the_server_is_an_unknown_outcome(carrier, fault) -> None:
    """The call is repeated with the same key when the saga asks again."""
    carrier.faults = [fault]
    with a_harness() as system:
        send(system, "P-2")

        system.expect("P-2").to_be(COMPLETED)
        assert 1 == label(system, "P-2").made
    assert [("POST", "P-2/do")] * 2 == carrier.requests
    assert 1 == len(carrier.labels)


def test_an_undo_after_an_unknown_outcome_asks_again_and_then_undoes(carrier) -> None:
    """Whether there is a label is not known until the call is repeated."""
    carrier.faults = ["after"] * 3
    with a_harness() as system:
        send(system, "P-2")

        system.expect("P-2").to_be(CANCELLED)
        found = label(system, "P-2")
    assert ("UNDONE", 1, 1) == (found.status, found.made, found.undone)
    assert [("POST", "P-2/do")] * 4 + [("DELETE", "P-2/undo")] == carrier.requests
    assert (1, ["L-P-2"]) == (len(carrier.labels), carrier.voided)


def test_an_undo_that_overtakes_its_command_blocks_it(carrier) -> None:
    """All commands are lost; the undo leaves a tombstone, and no call is ever made."""
    with a_harness(Drop("BUY_LABEL")) as system:
        system.on(Drop("BUY_LABEL", nth=2), Drop("BUY_LABEL", nth=3))
        send(system, "P-2")

        system.expect("P-2").to_be(CANCELLED)
        assert "BLOCKED" == label(system, "P-2").status
    assert [] == carrier.requests


@pytest.mark.parametrize("log", ["embedded", "topics"])
@pytest.mark.parametrize("order_id", ["P-1", "P-2"], ids=["undone", "done"])
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_at_any_point_buys_one_label(carrier, point, order_id, log) -> None:
    """And voids it once, if the parcel is cancelled."""
    for nth in range(1, 9):
        carrier.labels.clear()
        carrier.voided.clear()
        with a_harness(Crash(point, nth, down=20.0), log=log) as system:
            send(system, order_id)

            system.expect(order_id).to_be(COMPLETED if order_id == "P-2" else CANCELLED)
            system.expect_no_violations()
            found = label(system, order_id)
        undone = int(order_id == "P-1")
        assert (1, undone) == (found.made, found.undone)
        assert (1, undone) == (len(carrier.labels), len(carrier.voided))


def test_two_workers_buy_each_label_once(carrier) -> None:
    """Although calls fail."""
    faults = [CallFails(nth=1, how="after"), CallFails("P-4", nth=2, how="lost")]
    with a_harness(*faults, log="topics", workers=2, latency=0.1) as system:
        for number in range(1, 9):
            send(system, f"P-{number}")

        ends = [saga.status for saga in system.books.sagas()]
        system.expect_no_violations()
        labels = [label(system, f"P-{number}") for number in range(1, 9)]
    assert 8 == len(ends)
    assert [(1, number % 2) for number in range(1, 9)] == [(e.made, e.undone) for e in labels]
    assert 8 == len(carrier.labels)
    assert ["L-P-1", "L-P-3", "L-P-5", "L-P-7"] == carrier.voided


def test_the_example_has_less_than_30_lines() -> None:
    """A call with `do` and `undo`, as the documentation says."""
    assert len(inspect.getsource(Carrier).splitlines()) < 30
