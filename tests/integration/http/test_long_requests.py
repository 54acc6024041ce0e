"""Long requests: they leave threads and slots to others, and end when their token is removed."""

import itertools
import threading

import httpx
import pytest

from order_sagas.bridges.http.config import TimelineError
from order_sagas.bridges.http.server import middleware
from order_sagas.bridges.http.server.tokens import hash_of
from tests.support.http_service import an_order_body, serving, tokens_file

REVOKED = {
    "no token": "",
    "another token of the name": f'reader = {{ role = "read", sha256 = "{hash_of("os_new")}" }}',
    "another role": f'reader = {{ role = "submit", sha256 = "{hash_of("os_read")}" }}',
}
"""What a file holds in place of the token of `reader`."""


@pytest.mark.parametrize("after", REVOKED.values(), ids=REVOKED.keys())
def test_a_stream_ends_when_its_token_is_revoked(system, tmp_path, after):
    """At the next event, and visibly incomplete."""
    file = tokens_file(tmp_path)
    with (
        serving(system.settings, token="os_read", tokens=file) as client,
        client.stream("GET", "/api/v1/events") as stream,
    ):
        events = stream.iter_lines()
        first = next(events)
        file.write_text(after)
        with pytest.raises(httpx.RemoteProtocolError):
            list(itertools.islice(events, 10))

    assert "event: snapshot" == first


def test_a_request_gets_no_answer_when_its_token_was_revoked_meanwhile(
    system, tmp_path, monkeypatch
):
    """Such as one that waited for the end of an order."""
    monkeypatch.setattr(middleware, "CHECK_AGAIN", 0.0)
    file = tokens_file(tmp_path)

    def timeline(order_id):
        file.write_text("")

    with serving(
        system.settings, token="os_read", tokens=file, around={"timeline": timeline}
    ) as client:
        headers = {"Authorization": "Bearer os_operate"}
        client.post("/api/v1/orders", json=an_order_body(), headers=headers)
        system.start()
        system.run()
        response = client.get("/api/v1/sagas/place-order/o-1")

    assert (401, "the token is not known") == (response.status_code, response.json()["detail"])


def test_timelines_leave_threads_to_other_requests(system, tmp_path):
    """At most two are read at once."""
    system.start()
    reading, go_on = threading.Semaphore(0), threading.Event()

    def timeline(order_id):
        reading.release()
        go_on.wait()

    with serving(system.settings, around={"timeline": timeline}) as client:
        client.post("/api/v1/orders", json=an_order_body())
        system.run()
        threads = [
            threading.Thread(target=client.get, args=("/api/v1/sagas/place-order/o-1",))
            for _ in range(10)
        ]
        for each in threads:
            each.start()
        reading.acquire()
        reading.acquire()
        others = client.get("/api/v1/stock").status_code
        a_third = reading.acquire(blocking=False)
        go_on.set()
        for each in threads:
            each.join()

    assert (200, False) == (others, a_third)


def test_a_saga_is_answered_without_a_slow_timeline(system):
    """With the reason why the timeline is missing."""
    system.start()

    def timeline(order_id):
        raise TimelineError("not within 10 s")

    with serving(system.settings, around={"timeline": timeline}) as client:
        client.post("/api/v1/orders", json=an_order_body())
        system.run()
        saga = client.get("/api/v1/sagas/place-order/o-1").json()

    assert (None, "not within 10 s") == (saga["timeline"], saga["timelineProblem"])
