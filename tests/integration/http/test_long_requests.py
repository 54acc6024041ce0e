"""Long requests: they leave threads and slots to others, and end when their token is removed."""

import threading

from order_sagas.bridges.http.config import TimelineError
from tests.support.http_service import an_order_body, serving, tokens_file


def test_a_stream_ends_when_its_token_is_removed(system, tmp_path):
    """At the next event."""
    file = tokens_file(tmp_path)
    with (
        serving(system.settings, token="os_read", tokens=file) as client,
        client.stream("GET", "/api/v1/events") as stream,
    ):
        events = stream.iter_lines()
        first = next(events)
        file.write_text("")
        rest = [*events]  # returns, as the server ends the stream

    assert "event: snapshot" == first
    assert len(rest) < 10


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
