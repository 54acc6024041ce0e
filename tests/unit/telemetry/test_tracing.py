"""A saga is a trace: its spans, their parents, and trace contexts in records."""

from pathlib import Path
from typing import Any

import pytest
from opentelemetry.trace import StatusCode, format_span_id, format_trace_id

from order_sagas.actors.messages import CancelSaga, SkipStep
from order_sagas.actors.sagas.definition import hours
from order_sagas.actors.services.payment_gateway import NoAnswer
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.storage.headers import unpack
from order_sagas.system.telemetry.derived_ids import span_id_of, trace_id_of
from tests.support import insured_trips
from tests.support.embedded import Crash, EmbeddedSystem, an_order
from tests.support.insured_trips import TripPlanned
from tests.support.traced import ELSEWHERE, Traced


def headers_of(system: EmbeddedSystem, status: str) -> list[tuple[tuple[str, bytes], ...]]:
    """The headers of every record in the log that has this status."""
    query = "SELECT value, headers FROM log ORDER BY position"
    rows = system.store.db.rows(query, ())
    return [unpack(headers) for value, headers in rows if f'"{status}"'.encode() in value]


def test_a_completed_saga_is_one_trace(tmp_path: Path) -> None:
    """Steps below the saga, attempts below their steps; a step without a reply is one span of no
    length."""
    with Traced(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))

    assert {
        "place-order": ("", 0, 0),
        "process payment": ("place-order", 0, 0),
        "process payment #1": ("process payment", 0, 0),
        "reserve stock": ("place-order", 0, 0),
        "reserve stock #1": ("reserve stock", 0, 0),
        "complete order": ("place-order", 0, 0),
        "notify customer": ("place-order", 0, 0),
    } == system.tree()
    assert {format_trace_id(trace_id_of("place-order/o-1"))} == system.traces()
    root = system.spans()["place-order"]
    assert {
        "order_sagas.order_id": "o-1",
        "order_sagas.saga_id": "place-order/o-1",
        "order_sagas.saga": "place-order",
        "order_sagas.saga_version": 1,
        "order_sagas.status": "COMPLETED",
    } == dict(root.attributes or {})
    assert StatusCode.OK == root.status.status_code


def test_a_cancelled_saga_shows_what_was_undone_and_why(tmp_path: Path) -> None:
    """Newest step first, each undo with its attempts."""
    with Traced(tmp_path) as system:
        system.put(an_order("o-1"))  # and nothing is in stock
    spans = system.spans()

    assert {
        "place-order",
        "process payment", "process payment #1",
        "reserve stock", "reserve stock #1",
        "undo process payment", "undo process payment #1",
        "undo create order", "undo create order #1",
    } == set(spans)  # fmt: skip
    assert StatusCode.ERROR == spans["place-order"].status.status_code
    assert StatusCode.ERROR == spans["reserve stock #1"].status.status_code
    assert StatusCode.OK == spans["undo process payment"].status.status_code
    failed = dict(spans["reserve stock #1"].attributes or {})
    assert "out_of_stock" == failed["order_sagas.code"]
    assert "failed" == failed["order_sagas.outcome"]
    root = dict(spans["place-order"].attributes or {})
    assert "CANCELLED" == root["order_sagas.status"]
    assert "reserve stock" == root["order_sagas.failed_step"]


def test_spans_have_no_card_numbers_and_addresses(tmp_path: Path) -> None:
    """Text of an operator is exported redacted."""
    silent = {"payment_silent_rate": 1.0, "payment_silent_attempts": 99}
    with Traced(tmp_path, settings=silent) as system:
        system.put(an_order("o-1"))
        system.advance(10)
        why = "card 4111 1111 1111 1111 of bob@example.com"
        system.put(CancelSaga(order_id="o-1", by="ann", why=why))
        system.advance(3600)
    spans = system.spans().values()
    said = [f"{each.attributes} {each.status.description}" for each in spans]
    said += [str(event.attributes) for each in spans for event in each.events]

    assert "[card ending 1111] of [address]" in "".join(said)
    assert not [text for text in said if "4111" in text or "bob" in text]


def test_each_attempt_is_a_span_from_its_command_to_its_end(tmp_path: Path) -> None:
    """The first is over when its deadline passes, the second with the answer."""
    with Traced(tmp_path, settings={"payment_silent_rate": 1.0}) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))
        system.advance(300)
    tree = system.tree()
    again = tree["process payment #2"][1]

    assert ("process payment", 0, 30) == tree["process payment #1"]
    assert again > 30
    assert ("process payment", again, again) == tree["process payment #2"]
    assert ("place-order", 0, again) == tree["process payment"]
    assert ("place-order", again, again) == tree["reserve stock"]
    first = system.spans()["process payment #1"]
    assert StatusCode.ERROR == first.status.status_code
    assert "timed_out" == (first.attributes or {})["order_sagas.outcome"]


def test_a_step_that_timed_out_for_good_is_undone_from_then_on(tmp_path: Path) -> None:
    """Its own undo begins when the last attempt is given up."""
    silent = {"payment_silent_rate": 1.0, "payment_silent_attempts": 99}
    with Traced(tmp_path, settings=silent) as system:
        system.put(an_order("o-1"))
        system.advance(3600)
    tree = system.tree()
    given_up = tree["process payment"][2]

    assert given_up > 90
    assert given_up == tree["undo process payment #1"][1]
    assert tree["undo process payment"][1:] <= tree["undo create order"][1:]
    assert "timed_out" == (system.spans()["place-order"].attributes or {})["order_sagas.code"]


def test_a_saga_that_is_cancelled_by_hand_waits_for_no_answer(tmp_path: Path) -> None:
    """The attempt under way ends, and the operator is in the saga's events."""
    silent = {"payment_silent_rate": 1.0, "payment_silent_attempts": 99}
    with Traced(tmp_path, settings=silent) as system:
        system.put(an_order("o-1"))
        system.advance(10)
        cancel = CancelSaga(order_id="o-1", by="ann", why="called")
        system.put(cancel)
        system.advance(3600)
    tree = system.tree()

    assert ("process payment", 0, 10) == tree["process payment #1"]
    assert ("place-order", 0, 10) == tree["process payment"]
    assert 10 == tree["undo process payment"][1]
    events = {
        event.name: dict(event.attributes or {}) for event in system.spans()["place-order"].events
    }
    assert "cancel by ann: called" == events["saga.operator"]["order_sagas.note"]


def test_a_crash_and_a_restart_leave_one_trace(tmp_path: Path) -> None:
    """Each span once; nothing of a batch that was not stored."""
    dying: list[bool] = []

    def watch(point: str) -> None:
        if point == "before commit" and dying:
            raise Crash

    settings = {"payment_silent_rate": 1.0}
    with Traced(tmp_path, settings=settings, watch=watch) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))
        dying.append(True)
        with pytest.raises(Crash):
            system.advance(31)
        assert {} == system.spans()
        dying.clear()
        system.restart()
        system.advance(300)
    tree = system.tree()

    assert 1 == len(system.traces())
    assert ("process payment", 0, 30) == tree["process payment #1"]
    assert "place-order" == tree["process payment"][0]
    assert "" == tree["place-order"][0]


def test_a_trace_from_another_system_is_continued(tmp_path: Path) -> None:
    """Across a restart too: the saga keeps what its first record brought."""
    with Traced(tmp_path, settings={"payment_silent_rate": 1.0}) as system:
        system.load({"PEN": 10})
        order = b'{"orderId": "o-1", "status": "ORDER_CREATED"}'
        headers = (("traceparent", ELSEWHERE.encode()),)
        system.put_raw("order-events", order, b"o-1", headers)
        system.restart()
        system.advance(300)
    root = system.spans()["place-order"]

    assert {"0af7651916cd43dd8448eb211c80319c"} == system.traces()
    assert root.parent
    assert "b7ad6b7169203331" == format_span_id(root.parent.span_id)
    assert root.parent.is_remote


@pytest.mark.parametrize("header", [b"nonsense", b"\xff", ELSEWHERE.encode()[:-3]])
def test_an_invalid_header_changes_nothing(tmp_path: Path, header: bytes) -> None:
    """The saga starts its own trace."""
    with Traced(tmp_path) as system:
        order = b'{"orderId": "o-1", "status": "ORDER_CREATED"}'
        system.put_raw("order-events", order, b"o-1", (("traceparent", header),))

    assert {format_trace_id(trace_id_of("place-order/o-1"))} == system.traces()


def test_a_trace_that_is_not_sampled_elsewhere_is_not_sampled_here(tmp_path: Path) -> None:
    """But it is passed on, so that later systems do not sample it either."""
    with Traced(tmp_path) as system:
        order = b'{"orderId": "o-1", "status": "ORDER_CREATED"}'
        unsampled = ELSEWHERE.encode()[:-1] + b"0"
        system.put_raw("order-events", order, b"o-1", (("traceparent", unsampled),))
        ((name, value),) = headers_of(system, "PROCESS_PAYMENT")[0]

    assert {} == system.spans()
    assert "traceparent" == name
    assert value.startswith(b"00-0af7651916cd43dd8448eb211c80319c-")
    assert value.endswith(b"-00")


def test_every_record_of_a_saga_names_the_span_it_belongs_to(tmp_path: Path) -> None:
    """A command its attempt, an answer that of its command, an end the saga."""
    with Traced(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))
        spans = system.spans()
        found = {
            status: headers_of(system, status)[0]
            for status in (
                "PROCESS_PAYMENT",
                "PAYMENT_COMPLETED",
                "RESERVE_STOCK",
                "STOCK_RESERVED",
            )
        }

    def header(name: str) -> tuple[tuple[str, bytes], ...]:
        context = spans[name].context
        assert context
        trace, span = format_trace_id(context.trace_id), format_span_id(context.span_id)
        return (("traceparent", f"00-{trace}-{span}-01".encode()),)

    payment, stock = header("process payment #1"), header("reserve stock #1")
    assert {
        "PROCESS_PAYMENT": payment,
        "PAYMENT_COMPLETED": payment,
        "RESERVE_STOCK": stock,
        "STOCK_RESERVED": stock,
    } == found


def test_without_tracing_records_have_no_headers(tmp_path: Path) -> None:
    """And their values have no trace context."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        system.put(an_order("o-1"))

        assert {()} == {*headers_of(system, "PROCESS_PAYMENT")}
        assert not any("traceparent" in record for record in system.records())


def test_ids_are_derived_from_sagas_and_events() -> None:
    """The same in every process; a change would split traces of sagas in flight."""
    assert 0xA74A77B3D1FC30A455943ECAF72C2A5F == trace_id_of("place-order/o-1")
    assert 0xFAF903FB40BB1D6E == span_id_of("place-order/o-1/process payment/1")


class NeverRefunds(SimulatedGateway):
    """A provider that approves charges, and does not answer refunds."""

    def refund(self, refund: Any) -> Any:
        return NoAnswer()


def test_a_skipped_step_is_settled_by_the_operator(tmp_path: Path) -> None:
    """A compensation without a reply, which an operator marks as done."""
    with Traced(tmp_path, gateway=NeverRefunds()) as system:
        system.put(an_order("o-1"))  # and nothing is in stock
        system.advance(hours(5))
        assert "NEEDS_ATTENTION" == system.status("o-1")
        assert not {"place-order", "undo process payment"} & set(system.spans())
        skip = SkipStep(order_id="o-1", step="process payment", by="ann", why="refunded by hand")
        system.put(skip)
        system.advance(hours(1))
    tree = system.tree()

    assert ("place-order", 0, hours(5)) == tree["undo process payment"]
    assert "undo process payment" == tree["undo process payment #8"][0]
    assert hours(5) == tree["undo create order"][1]
    outcome = (system.spans()["undo process payment"].attributes or {})["order_sagas.outcome"]
    assert "skipped" == outcome
    names = [event.name for event in system.spans()["place-order"].events]
    assert "saga.needs_attention" in names


def a_trip(directory: Path, refuse: str = "") -> Traced:
    """A trip with an insurance, whose order is another."""
    with Traced(directory, sagas=insured_trips.SAGAS, services=insured_trips.SERVICES) as system:
        system.put(TripPlanned(order_id="T-1", insurance="I-7", refuse=refuse))
    return system


def test_a_child_saga_is_in_the_trace_of_its_parent(tmp_path: Path) -> None:
    """Below the attempt that started it."""
    system = a_trip(tmp_path)
    tree = system.tree()

    assert {format_trace_id(trace_id_of("book-trip/T-1"))} == system.traces()
    assert "insure #1" == tree["insure-trip"][0]
    assert "insure-trip" == tree["sign"][0] == tree["file"][0]


def test_a_child_that_is_undone_after_its_end_has_a_span_for_that(tmp_path: Path) -> None:
    """The span of its first end is exported already."""
    system = a_trip(tmp_path, refuse="confirmed")
    tree, spans = system.tree(), system.spans()

    assert "insure-trip" == tree["undo insure-trip"][0]
    assert "undo insure-trip" == tree["undo sign"][0] == tree["undo file"][0]
    assert "COMPLETED" == (spans["insure-trip"].attributes or {})["order_sagas.status"]
    assert "CANCELLED" == (spans["undo insure-trip"].attributes or {})["order_sagas.status"]
    assert {format_trace_id(trace_id_of("book-trip/T-1"))} == system.traces()
