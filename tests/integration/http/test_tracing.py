"""The saga of an order submitted over HTTP is part of the caller's trace."""

import pytest
from opentelemetry.trace import format_span_id, format_trace_id

from order_sagas.bridges.storage.headers import unpack
from order_sagas.system.telemetry.derived_ids import trace_id_of
from tests.support.http_service import an_order_body, serving
from tests.support.traced import ELSEWHERE, Traced


@pytest.fixture
def system(tmp_path):
    """A system that exports its spans."""
    with Traced(tmp_path) as system:
        system.load({"PEN": 10})
        yield system


@pytest.fixture
def api(system):
    """A client of the API on its database."""
    with serving(system.settings) as client:
        yield client


def submit(api, *headers):
    """Submit an order with these headers; it is stored."""
    response = api.post("/api/v1/orders", json=an_order_body("o-1"), headers=[*headers])
    assert 201 == response.status_code


def test_the_saga_is_a_part_of_the_trace_of_its_request(system, api):
    """Its span is a child of the caller's."""
    submit(api, ("traceparent", ELSEWHERE))
    system.run()
    root = system.spans()["place-order"]

    _, trace, span, _ = ELSEWHERE.split("-")
    assert "COMPLETED" == system.status("o-1")
    assert {trace} == system.traces()
    assert span == format_span_id(root.parent.span_id)


def test_the_tracestate_of_the_request_goes_with_every_record(system, api):
    """Several headers are one list; without a traceparent there is none."""
    submit(api, ("traceparent", ELSEWHERE), ("tracestate", "rojo=1"), ("tracestate", "congo=2"))
    system.run()
    rows = system.store.db.rows("SELECT headers FROM log WHERE topic = 'payment-events'", ())
    states = {dict(unpack(packed)).get("tracestate") for (packed,) in rows}

    assert {b"rojo=1,congo=2"} == states
    assert "rojo=1,congo=2" == system.spans()["place-order"].context.trace_state.to_header()


def test_an_unsampled_trace_is_not_exported(system, api):
    """The caller's decision is in its traceparent."""
    submit(api, ("traceparent", ELSEWHERE[:-2] + "00"))
    system.run()

    assert "COMPLETED" == system.status("o-1")
    assert {} == system.spans()


@pytest.mark.parametrize(
    "given",
    [
        [],
        ["oops"],
        [""],
        [ELSEWHERE.upper()],
        ["ff" + ELSEWHERE[2:]],
        [ELSEWHERE + "-more"],
        [f"00-{'0' * 32}-b7ad6b7169203331-01"],
        [f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01"],
        [ELSEWHERE, ELSEWHERE],
        [f"cc{ELSEWHERE[2:]}-{'x' * 1000}"],
        [ELSEWHERE + "\xe9"],
    ],
)
def test_a_malformed_traceparent_is_ignored(system, api, given):
    """The order is accepted, and its saga has a trace of its own."""
    submit(api, *((b"traceparent", each.encode("latin-1")) for each in given))
    system.run()

    assert "COMPLETED" == system.status("o-1")
    assert {format_trace_id(trace_id_of("place-order/o-1"))} == system.traces()
    assert system.spans()["place-order"].parent is None


def test_the_known_fields_of_a_later_version_are_used(system, api):
    """As the W3C recommendation says."""
    submit(api, ("traceparent", f"cc{ELSEWHERE[2:]}-what-the-future-holds"))
    system.run()

    assert {ELSEWHERE.split("-")[1]} == system.traces()
