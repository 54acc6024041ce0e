"""A server that stops ends waiting requests."""

import httpx

from tests.integration.http.test_difficult_clients import connect, read_all
from tests.support.http_service import serving
from tests.support.waiting import TIMEOUT


def test_an_event_stream_ends_with_the_server(system):
    """The client sees a regular end of the stream."""
    service = serving(system.settings)
    url = service.__enter__().base_url
    with httpx.stream("GET", f"{url}/api/v1/events", timeout=TIMEOUT) as response:
        lines = response.iter_lines()
        first = next(lines)
        service.__exit__(None, None, None)
        rest = [line for line in lines if line.startswith("data")]

    assert "event: snapshot" == first
    assert rest


def test_a_wait_for_an_order_returns_its_present_state(system):
    """At once, instead of after the minute that was requested."""
    service = serving(system.settings)
    api = service.__enter__()
    api.post("/api/v1/orders", json={"id": "o-1"})
    with connect(api) as connection:
        connection.sendall(b"GET /api/v1/orders/o-1?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(3):
            api.get("/health/live")  # by then, the other request was read too
        service.__exit__(None, None, None)
        answer = read_all(connection)

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"status":"SUBMITTED"' in answer
