"""Trace contexts that are passed on without spans: the setting `trace_headers`."""

from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from order_sagas.actors.messages import OrderCreated
from order_sagas.bridges.processor.trace_headers import TraceHeaders
from order_sagas.bridges.records.record import Headers
from order_sagas.bridges.records.trace_context import is_traceparent, tracestate_of, with_trace
from order_sagas.bridges.storage.headers import unpack
from order_sagas.system.settings import Settings
from order_sagas.system.telemetry.setup import telemetry_of
from tests.support.embedded import EmbeddedSystem
from tests.support.traced import ELSEWHERE

PARENT = ("traceparent", ELSEWHERE.encode())
STATE = ("tracestate", b"rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
ORDER = b'{"orderId": "o-1", "status": "ORDER_CREATED", "lines": [{"sku": "PEN", "quantity": 1}]}'


@pytest.fixture
def system(tmp_path: Path) -> Iterator[EmbeddedSystem]:
    """A system that passes trace contexts on."""
    system = EmbeddedSystem(tmp_path)
    system.parts = attrs.evolve(system.parts, tracing=TraceHeaders())
    with system:
        yield system


def headers(system: EmbeddedSystem) -> dict[bytes, Headers]:
    """Return the headers of every record but the first, by the record's value."""
    rows = system.store.db.rows("SELECT value, headers FROM log ORDER BY position", ())
    return {value: unpack(packed) for value, packed in rows}


def test_every_record_of_a_saga_has_the_trace_context_of_its_start(system: EmbeddedSystem) -> None:
    """Commands, replies and undos, after a restart too."""
    system.put_raw("order-events", ORDER, b"o-1", (PARENT, STATE))
    system.restart()
    system.advance(300)
    found = headers(system)

    assert "CANCELLED" == system.status("o-1")  # nothing is in stock
    assert len(found) > 8
    assert {(PARENT, STATE)} == {*found.values()}


def test_a_saga_without_a_trace_has_records_without_one(system: EmbeddedSystem) -> None:
    """No trace is started here, because no span of it would be exported."""
    system.put_raw("order-events", ORDER, b"o-1", (STATE,))
    system.advance(300)

    first, *others = headers(system).values()
    assert (STATE,) == first
    assert {()} == {*others}


@pytest.mark.parametrize(
    ("header", "valid"),
    {
        ELSEWHERE: True,
        f"01{ELSEWHERE[2:]}": True,
        f"01{ELSEWHERE[2:]}-more": True,
        f"{ELSEWHERE}-more": False,
        f"ff{ELSEWHERE[2:]}": False,
        ELSEWHERE.upper(): False,
        ELSEWHERE[:-1]: False,
        f"00-{'0' * 32}-b7ad6b7169203331-01": False,
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01": False,
        "": False,
    }.items(),
)
def test_a_malformed_traceparent_is_no_trace(header: str, valid: bool) -> None:
    """As the W3C recommendation says."""
    order = OrderCreated(order_id="o-1")
    received = with_trace(order, (("traceparent", header.encode()), STATE))

    assert valid == is_traceparent(header.encode())
    assert (header if valid else "") == received.traceparent
    assert (STATE[1].decode() if valid else "") == received.tracestate


@pytest.mark.parametrize(
    ("values", "state"),
    [
        ([b"a=1", b"b=2"], "a=1,b=2"),
        ([b""], ""),
        ([b"a=1", b"\xff"], ""),
        ([b"a=\n"], ""),
        ([b"a=" + b"x" * 510], "a=" + "x" * 510),
        ([b"a=" + b"x" * 511], ""),
    ],
)
def test_a_tracestate_that_may_not_be_passed_on_is_dropped(values: list[bytes], state: str) -> None:
    """It changes no trace."""
    assert state == tracestate_of(("tracestate", value) for value in values)


def test_the_setting_chooses_it_where_nothing_is_exported() -> None:
    """Off by default; tracing passes contexts on itself."""
    assert telemetry_of(Settings()).tracing is None
    assert isinstance(telemetry_of(Settings(trace_headers=True)).tracing, TraceHeaders)
