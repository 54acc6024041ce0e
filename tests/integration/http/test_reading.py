"""Reading orders, sagas, stock and dead letters with the API."""

import json
import threading

import pytest

from order_sagas.actors.sagas.definition import hours
from order_sagas.bridges.kafka.errors import BrokerUnreachableError
from tests.support.embedded import an_order
from tests.support.http_service import serving

ROLES = ("orchestrator", "orders", "payments", "stock", "notifications")


@pytest.fixture
def busy(system):
    """Seven orders: five completed, two cancelled because no pens were left."""
    system.start()
    system.load({"PEN": 10})
    system.put(*(an_order(f"o-{n}") for n in range(7)))
    return system


def test_an_order_has_all_its_data(api, busy):
    """With the entity of each service, and the steps of its saga."""
    order = api.get("/api/v1/orders/o-0").json()

    assert ("COMPLETED", 300, "EUR", "c-1") == (
        order["status"], order["amount"], order["currency"], order["customerId"],
    )  # fmt: skip
    assert [{"sku": "PEN", "quantity": 2, "unitPrice": 150}] == order["lines"]
    assert ("COMPLETED", "HELD", "SENT") == (
        order["payment"]["status"],
        order["reservation"]["status"],
        order["notification"]["status"],
    )
    assert "2023-11-14T22:13:20.000Z" == order["createdAt"]
    assert ["create order", "process payment", "reserve stock", "complete order",
            "notify customer"] == [step["step"] for step in order["sagas"][0]["steps"]]  # fmt: skip


def test_an_order_that_waits_in_the_log_is_found(api):
    """It has not been handled yet."""
    api.post("/api/v1/orders", json={"id": "o-1"})

    assert "SUBMITTED" == api.get("/api/v1/orders/o-1").json()["status"]


@pytest.mark.parametrize("order_id", ["nobody", "%00", "a%0Ab", "delivery", "x" * 5000, "%ff"])
def test_an_unknown_order_is_not_found(api, busy, order_id):
    """The id of a delivery of goods is not an order id either."""
    response = api.get(f"/api/v1/orders/{order_id}")

    assert (404, "application/problem+json") == (
        response.status_code, response.headers["Content-Type"],
    )  # fmt: skip


def test_orders_are_listed_page_by_page(api, busy):
    """The newest first, each once, until there is no next page."""
    page = api.get("/api/v1/orders?limit=3").json()
    pages = [page]
    while page["next"]:
        page = api.get("/api/v1/orders", params={"limit": 3, "after": page["next"]}).json()
        pages.append(page)

    assert [["o-6", "o-5", "o-4"], ["o-3", "o-2", "o-1"], ["o-0"]] == [
        [order["orderId"] for order in page["orders"]] for page in pages
    ]


def test_orders_are_filtered_by_status(api, busy):
    """With commas, or with a repeated parameter."""
    cancelled = api.get("/api/v1/orders?status=cancelled").json()["orders"]
    both = api.get("/api/v1/orders?status=CANCELLED,COMPLETED").json()["orders"]
    twice = api.get("/api/v1/orders?status=CANCELLED&status=COMPLETED").json()["orders"]

    assert [("o-6", "out_of_stock"), ("o-5", "out_of_stock")] == [
        (order["orderId"], order["code"]) for order in cancelled
    ]
    assert 7 == len(both) == len(twice)


def test_sagas_are_listed_page_by_page(api, busy):
    """Also filtered by status."""
    first = api.get("/api/v1/sagas?limit=4").json()
    second = api.get("/api/v1/sagas", params={"limit": 4, "after": first["next"]}).json()
    cancelled = api.get("/api/v1/sagas?status=CANCELLED").json()["sagas"]

    assert [f"place-order/o-{n}" for n in (6, 5, 4, 3, 2, 1, 0)] == [
        saga["sagaId"] for saga in first["sagas"] + second["sagas"]
    ]
    assert second["next"] is None
    assert ["o-6", "o-5"] == [saga["orderId"] for saga in cancelled]


@pytest.mark.parametrize("name", ["place-order/o-6", "place-order%2Fo-6", "o-6"])
def test_a_saga_has_its_history(api, busy, name):
    """By its id, or by its order id."""
    saga = api.get(f"/api/v1/sagas/{name}").json()

    assert ("place-order/o-6", "CANCELLED", "out_of_stock") == (
        saga["sagaId"], saga["status"], saga["code"],
    )  # fmt: skip
    assert "saga.started" == saga["history"][0]["event"]
    assert "saga.cancelled" == saga["history"][-1]["event"]


def test_a_saga_has_its_timeline(busy):
    """From the log files, which contain the captured log here."""
    directory = busy.settings.log_dir
    directory.mkdir()
    (directory / "order-sagas.jsonl").write_bytes(b"\n".join(busy.logged.lines) + b"\n")
    with serving(busy.settings) as api:
        timeline = api.get("/api/v1/sagas/o-6").json()["timeline"]

    assert "place-order/o-6" == timeline["sagas"][0]["sagaId"]


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("orders?status=strange", "status"),
        ("orders?limit=0", "limit"),
        ("orders?limit=1001", "limit"),
        ("orders?limit=many", "limit"),
        ("orders?limit=٣", "limit"),
        ("orders?after=x", "after"),
        ("orders/o-1?wait=-1", "wait"),
        ("orders/o-1?wait=61", "wait"),
        ("orders/o-1?wait=nan", "wait"),
        ("sagas?after=7", "after"),
        ("sagas?status=SUBMITTED", "status"),
        ("dead-letters?all=perhaps", "all"),
        ("dead-letters?after=x", "after"),
    ],
)
def test_an_invalid_parameter_is_refused(api, path, parameter):
    """The error names it."""
    response = api.get(f"/api/v1/{path}")

    assert 422 == response.status_code
    assert parameter == response.json()["errors"][0]["parameter"]


def test_stock_is_listed(api, busy):
    """On hand, held and sold pieces."""
    assert {
        "stock": [
            {"sku": "PEN", "warehouse": "main", "onHand": 0, "held": 0, "sold": 10, "loaded": 10}
        ]
    } == api.get("/api/v1/stock").json()


def test_a_request_can_wait_for_the_end_of_an_order(api, system):
    """It returns at once if the order has ended, when it ends, or after the wait."""
    system.start()
    system.load({"PEN": 10})
    api.post("/api/v1/orders", json={"id": "o-1"})
    answers = []
    waiting = threading.Thread(
        target=lambda: answers.append(api.get("/api/v1/orders/o-1?wait=30").json()["status"])
    )
    waiting.start()
    system.run()
    waiting.join(30)
    at_once = api.get("/api/v1/orders/o-1?wait=60").json()["status"]
    api.post("/api/v1/orders", json={"id": "o-2"})
    not_yet = api.get("/api/v1/orders/o-2?wait=0.2").json()["status"]

    assert ["COMPLETED"] == answers
    assert ("COMPLETED", "SUBMITTED") == (at_once, not_yet)


def test_a_snapshot_is_sent_every_second(api, busy):
    """With totals, waiting steps, and sagas that need attention."""
    busy.advance(hours(1))
    with api.stream("GET", "/api/v1/events") as response:
        lines = response.iter_lines()
        name, data = next(lines), next(lines)
        next(lines)
        again = next(lines)

    assert "text/event-stream; charset=utf-8" == response.headers["Content-Type"]
    assert ("event: snapshot", "event: snapshot") == (name, again)
    snapshot = json.loads(data.removeprefix("data: "))
    assert {"COMPLETED": 5, "CANCELLED": 2} == snapshot["orders"]
    assert {"COMPLETED": 5, "CANCELLED": 2} == snapshot["sagas"]
    assert (0, 0, []) == (
        snapshot["inFlight"], snapshot["overdue"], snapshot["needsAttention"],
    )  # fmt: skip


def test_it_is_ready_while_orders_can_be_stored(system):
    """A missing worker is reported, but the API stays ready."""
    with serving(system.settings) as api:
        ready = api.get("/health/ready")
        live = api.get("/health/live")
    with serving(system.settings, around={"running": lambda: 2}) as api:
        checks = api.get("/health/ready").json()["checks"]

    assert (200, 200) == (ready.status_code, live.status_code)
    assert not ready.json()["checks"]["workers"]["ok"]
    assert {"ok": True, "detail": "2 running"} == checks["workers"]
    waiting = checks["lag"]["detail"].removeprefix("records waiting: ").split(", ")
    assert checks["lag"]["ok"]
    assert {f"{role} 0" for role in ROLES} == {*waiting}


def test_it_is_not_ready_without_its_log(system):
    """It is live, so it is not restarted, but not ready, so it gets no requests."""

    def away():
        raise BrokerUnreachableError("nobody answers")

    with serving(system.settings, around={"check_log": away}) as api:
        ready, live = api.get("/health/ready"), api.get("/health/live")

    assert (503, 200) == (ready.status_code, live.status_code)
    assert {"ok": False, "detail": "nobody answers"} == ready.json()["checks"]["log"]


def test_metrics_contain_stored_totals_and_requests(api, busy):
    """In the Prometheus text format."""
    api.get("/api/v1/orders")
    api.post("/api/v1/orders", json={"id": "o-9"})
    text = api.get("/metrics").text

    for line in (
        'order_sagas_orders{status="COMPLETED"} 5.0',
        'order_sagas_sagas{status="CANCELLED"} 2.0',
        'order_sagas_records_waiting{topic="order-events"} 1.0',
        "order_sagas_sagas_needing_attention 0.0",
        "order_sagas_timers_overdue 0.0",
        "order_sagas_dead_letter_records 0.0",
        "order_sagas_workers 0.0",
        'order_sagas_http_requests_total{method="GET",route="/api/v1/orders",status="200"} 1.0',
        'order_sagas_http_requests_total{method="POST",route="/api/v1/orders",status="201"} 1.0',
    ):
        assert line in text.splitlines()


def test_topics_that_are_not_read_are_reported_and_orders_accepted(system):
    """With the first problem, and the number of the others."""
    around = {"topic_problems": lambda: ("order-events, partition 0: ...", "and another")}
    with serving(system.settings, around=around) as api:
        answer = api.get("/health/ready")

    assert 200 == answer.status_code
    assert {"ok": False, "detail": "order-events, partition 0: ... and 1 more"} == (
        answer.json()["checks"]["topics"]
    )


@pytest.mark.parametrize(
    ("path", "name", "known"),
    [
        ("orders?statuss=COMPLETED", "statuss", "endedFrom, endedTo, limit, after"),
        ("sagas?custommer=C-1", "custommer", "endedFrom, endedTo, limit, after"),
        ("orders/o-0?limit=1", "limit", "there are wait"),
        ("stock?sku=PEN", "sku", "there are none here"),
    ],
)
def test_an_unknown_parameter_is_refused(api, busy, path, name, known):
    """Instead of a list that looks as if it were filtered."""
    answer = api.get(f"/api/v1/{path}")

    assert (422, name) == (answer.status_code, answer.json()["errors"][0]["parameter"])
    assert answer.json()["detail"].endswith(known)
