"""A server that ends keeps nobody waiting."""

import httpx

from tests.integration.http.test_difficult_clients import connect, heard
from tests.support.http_service import serving
from tests.support.waiting import TIMEOUT


def test_who_listens_is_let_go(system):
    """The stream comes to an end like any other."""
    service = serving(system.settings)
    url = service.__enter__().base_url
    with httpx.stream("GET", f"{url}/api/v1/events", timeout=TIMEOUT) as response:
        lines = response.iter_lines()
        first = next(lines)
        service.__exit__(None, None, None)
        rest = [line for line in lines if line.startswith("data")]

    assert "event: snapshot" == first
    assert rest


def test_who_waits_for_an_order_is_told_how_it_is_by_then(system):
    """At once, rather than after the minute it asked for."""
    service = serving(system.settings)
    api = service.__enter__()
    api.post("/api/v1/orders", json={"id": "o-1"})
    with connect(api) as connection:
        connection.sendall(b"GET /api/v1/orders/o-1?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        for _ in range(3):
            api.get("/health/live")  # by then, the other request was read too
        service.__exit__(None, None, None)
        answer = heard(connection)

    assert answer.startswith(b"HTTP/1.1 200")
    assert b'"status":"SUBMITTED"' in answer
