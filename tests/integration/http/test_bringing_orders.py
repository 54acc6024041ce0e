"""POST /api/v1/orders: an order is stored before it is answered, and once."""

import uuid
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from hashlib import blake2b
from itertools import islice

import pytest

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.intake.intake import Intake
from order_sagas.bridges.logs.embedded import EmbeddedLog
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import an_order_body, serving

ORDERS = "/api/v1/orders"
PEN = {"sku": "PEN", "quantity": 1, "unitPrice": 150}


def test_an_order_is_in_the_log_when_it_is_answered(api, system):
    """The answer has its location."""
    response = api.post(ORDERS, json=an_order_body("o 1/ä"))

    assert 201 == response.status_code
    assert {"orderId": "o 1/ä", "status": "ORDER_CREATED"} == response.json()
    assert ["ORDER_CREATED"] == system.statuses_of("o 1/ä")
    assert "o 1/ä" == api.get(response.headers["Location"]).json()["orderId"]


def test_a_repeated_order_is_answered_and_changes_nothing(api, system):
    """No matter how it was submitted first."""
    first = api.post(ORDERS, json=an_order_body())
    again = api.post(ORDERS, json=an_order_body())
    Intake(system.log).take([an_order("o-2")])
    elsewhere = api.post(ORDERS, json=an_order_body("o-2"))

    assert [201, 200, 200] == [r.status_code for r in (first, again, elsewhere)]
    assert first.json() == again.json()
    assert 1 == len(system.statuses_of("o-1"))


def test_an_order_with_other_content_is_refused(api, system):
    """Its id is in use."""
    api.post(ORDERS, json=an_order_body())
    response = api.post(ORDERS, json=an_order_body(customerId="another"))

    assert 409 == response.status_code
    assert "application/problem+json" == response.headers["Content-Type"]
    assert 1 == len(system.statuses_of("o-1"))


def test_an_order_with_only_an_id_is_accepted(api, system):
    """As other services may write it."""
    response = api.post(ORDERS, json={"id": "o-1"})
    system.start()

    assert {"orderId": "o-1", "status": "ORDER_CREATED"} == response.json()
    assert "COMPLETED" == system.status("o-1")


def test_id_is_accepted_in_place_of_order_id(api):
    """Such an order gets no generated id."""
    body = an_order_body()
    body["id"] = body.pop("orderId")

    assert "o-1" == api.post(ORDERS, json=body).json()["orderId"]


def test_the_same_idempotency_key_gives_the_same_order(api, system):
    """The order id is derived from the key, so another process gives the same answer."""
    body = an_order_body()
    del body["orderId"]
    first = api.post(ORDERS, json=body, headers={"Idempotency-Key": "k-1"})
    with serving(system.settings) as other:
        again = other.post(ORDERS, json=body, headers={"Idempotency-Key": '"k-1"'})
    without = api.post(ORDERS, json=body)

    assert [201, 200, 201] == [r.status_code for r in (first, again, without)]
    assert first.json() == again.json()
    assert first.json() != without.json()


@pytest.mark.parametrize(
    "change",
    [{"customerId": "another"}, {"orderId": "o-2"}],
)
def test_the_same_key_with_another_body_is_refused(api, system, change):
    """Nothing of it is stored."""
    key = {"Idempotency-Key": "k-1"}
    api.post(ORDERS, json=an_order_body(), headers=key)
    response = api.post(ORDERS, json={**an_order_body(), **change}, headers=key)

    assert 422 == response.status_code
    assert "Idempotency-Key" == response.json()["errors"][0]["parameter"]
    assert 1 == len(system.records())


def test_an_invalid_idempotency_key_is_refused(api):
    """An empty or a too long one."""
    answers = [
        api.post(ORDERS, json=an_order_body(), headers={"Idempotency-Key": key}).status_code
        for key in ("", '""', "x" * 256)
    ]

    assert [400, 400, 400] == answers


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"orderId": "o-1"}, "#/customerId"),
        ({"orderId": "", "customerId": "c"}, "#/orderId"),
        ({"id": ""}, "#/id"),
        ({"id": 7}, "#/id"),
        ({"id": " o", "customerId": "c"}, "#/id"),
        ({"orderId": "o-1", "customerId": 7}, "#/customerId"),
        (an_order_body(currency="Euro"), "#/currency"),
        (an_order_body(currency=""), "#/currency"),
        (an_order_body(lines=[{"sku": "PEN", "quantity": 1}]), "#/lines/0/unitPrice"),
        (an_order_body(lines=[{**PEN, "quantity": 0}]), "#/lines/0/quantity"),
        (an_order_body(lines=7), "#/lines"),
        ([], "#"),
        ("o-1", "#"),
    ],
)  # fmt: skip
def test_an_invalid_order_is_refused_with_its_field(api, system, body, pointer):
    """With a JSON pointer for programs, and a text for people."""
    response = api.post(ORDERS, json=body)

    assert 422 == response.status_code
    assert [pointer] == [error["pointer"] for error in response.json()["errors"]]
    assert [] == system.records()


@pytest.mark.parametrize(
    "raw", [b"{", b"", b"\xff", b'{"id": "\\ud800"}', b"[" * 100_000, b'{"id": "a", "x":' * 9_999]
)
def test_a_body_that_is_not_json_is_refused(api, raw):
    """Any kind of invalid body."""
    response = api.post(ORDERS, content=raw, headers={"Content-Type": "application/json"})

    assert 400 == response.status_code
    assert "application/problem+json" == response.headers["Content-Type"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json; charset=latin-1"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
)
def test_a_body_without_a_json_content_type_is_refused(api, headers):
    """A browser sends JSON to another site only after a preflight request."""
    assert 415 == api.post(ORDERS, content=b"{}", headers=headers).status_code


def test_a_json_content_type_may_name_utf_8(api):
    """The only encoding of JSON."""
    said = {"Content-Type": 'Application/JSON; charset="UTF-8"'}

    assert 201 == api.post(ORDERS, content=b'{"id": "a"}', headers=said).status_code


def test_a_too_large_body_is_refused_with_and_without_its_length(system):
    """By its Content-Length, or once it has become too long."""
    with serving(system.settings, max_body=1000) as api:
        said = api.post(ORDERS, content=b"x" * 1001, headers={"Content-Type": "application/json"})
        chunks = (b"x" * 100 for _ in range(100))
        unsaid = api.post(ORDERS, content=chunks, headers={"Content-Type": "application/json"})

    assert [413, 413] == [said.status_code, unsaid.status_code]
    assert "close" == unsaid.headers["Connection"]


def test_orders_that_come_together_are_stored_together(api, system):
    """And each gets an answer of its own."""
    ids = [f"o-{n % 100}" for n in range(200)]
    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda i: api.post(ORDERS, json=an_order_body(i)).status_code, ids)
        )

    assert {201: 100, 200: 100} == Counter(answers)
    assert 100 == len(system.records())


def test_too_many_waiting_orders_are_refused_with_retry_after(system):
    """For example while another process has locked the database."""
    with serving(system.settings, queue=3) as api, ThreadPoolExecutor(8) as threads:
        with system.log.transaction():
            posts = [
                threads.submit(api.post, ORDERS, json=an_order_body(f"o-{n}")) for n in range(8)
            ]
            refused = [each.result() for each in islice(as_completed(posts), 5)]
        statuses = [each.result().status_code for each in posts]

    assert {503: 5, 201: 3} == Counter(statuses)
    assert {"1"} == {response.headers["Retry-After"] for response in refused}


class FirstTransactionFails(EmbeddedLog):
    """A log whose first transaction fails because the database is not available."""

    first = True

    @contextmanager
    def transaction(self):
        if FirstTransactionFails.first:
            FirstTransactionFails.first = False
            raise StoreUnavailableError("secret.example:5432 is away")
        with super().transaction() as cursor:
            yield cursor


def test_an_unavailable_database_is_answered_with_503(system, monkeypatch):
    """With Retry-After; the cause is only in the log."""
    monkeypatch.setattr(FirstTransactionFails, "first", True)

    def open_log():
        return FirstTransactionFails(system.settings.database, system.settings.partitions)

    with serving(system.settings, around={"open_log": open_log}) as api:
        response = api.post(ORDERS, json=an_order_body())
        again = api.post(ORDERS, json=an_order_body())

    assert [503, 201] == [response.status_code, again.status_code]
    assert "Retry-After" in response.headers
    assert "secret" not in response.text
    assert any(b"secret.example" in line for line in system.logged.lines)


@pytest.mark.parametrize(
    "body",
    [
        b'{"orderId": "o-1", "orderId": "o-2"}',
        b'{"id": "o-1", "orderId": "o-2"}',
        b'{"orderId": "o-1", "lines": [{"sku": "A", "sku": "B", "quantity": 1, "unitPrice": 0}]}',
    ],
)
def test_a_field_that_is_given_twice_is_refused(api, body):
    """It is ambiguous which one is meant."""
    response = api.post(
        "/api/v1/orders", content=body, headers={"Content-Type": "application/json"}
    )

    assert 422 == response.status_code


def test_an_id_from_a_key_cannot_be_computed(api, tmp_path):
    """It depends on a secret in the database: another token cannot take the id first."""
    body = {"customerId": "c-1"}
    ids = [api.post(ORDERS, json=body, headers={"Idempotency-Key": "k-1"}).json()["orderId"]]
    with EmbeddedSystem(tmp_path / "other") as other, serving(other.settings) as client:
        ids += [
            client.post(ORDERS, json=body, headers={"Idempotency-Key": "k-1"}).json()["orderId"]
        ]

    assert 2 == len({*ids})


def test_a_key_of_the_former_version_gives_the_same_order(api, system):
    """A client may repeat a request after the server has been upgraded."""
    key = blake2b(b"local\nk-1", digest_size=16).hexdigest()
    former = str(uuid.uuid5(uuid.UUID("5a3f9d52-5d1c-4f0e-9a53-1c6a1c0de5a9"), key))
    body = an_order_body(former)
    api.post(ORDERS, json=body, headers={"Idempotency-Key": "k-1"})
    del body["orderId"]
    again = api.post(ORDERS, json=body, headers={"Idempotency-Key": "k-1"})

    assert (200, former) == (again.status_code, again.json()["orderId"])
