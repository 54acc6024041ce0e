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
    """And where it can be seen is told."""
    response = api.post(ORDERS, json=an_order_body("o 1/ä"))

    assert 201 == response.status_code
    assert {"orderId": "o 1/ä", "status": "ORDER_CREATED"} == response.json()
    assert ["ORDER_CREATED"] == system.told("o 1/ä")
    assert "o 1/ä" == api.get(response.headers["Location"]).json()["orderId"]


def test_the_same_order_again_is_answered_and_changes_nothing(api, system):
    """It does not matter in which way it came first."""
    first = api.post(ORDERS, json=an_order_body())
    again = api.post(ORDERS, json=an_order_body())
    Intake(system.log).take([an_order("o-2")])
    elsewhere = api.post(ORDERS, json=an_order_body("o-2"))

    assert [201, 200, 200] == [r.status_code for r in (first, again, elsewhere)]
    assert first.json() == again.json()
    assert 1 == len(system.told("o-1"))


def test_an_order_with_other_content_is_refused(api, system):
    """Its id is taken."""
    api.post(ORDERS, json=an_order_body())
    response = api.post(ORDERS, json=an_order_body(customerId="another"))

    assert 409 == response.status_code
    assert "application/problem+json" == response.headers["Content-Type"]
    assert 1 == len(system.told("o-1"))


def test_an_order_of_nothing_but_an_id_is_an_order(api, system):
    """As services write it that know no more."""
    response = api.post(ORDERS, json={"id": "o-1"})
    system.start()

    assert {"orderId": "o-1", "status": "ORDER_CREATED"} == response.json()
    assert "COMPLETED" == system.status("o-1")


def test_id_does_for_order_id(api):
    """An order that has one is given no other."""
    body = an_order_body()
    body["id"] = body.pop("orderId")

    assert "o-1" == api.post(ORDERS, json=body).json()["orderId"]


def test_the_same_key_brings_the_same_order(api, system):
    """Which gets its id from the key, for good: another process answers the same."""
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
    """Nothing of it is taken."""
    key = {"Idempotency-Key": "k-1"}
    api.post(ORDERS, json=an_order_body(), headers=key)
    response = api.post(ORDERS, json={**an_order_body(), **change}, headers=key)

    assert 422 == response.status_code
    assert "Idempotency-Key" == response.json()["errors"][0]["parameter"]
    assert 1 == len(system.records())


def test_a_key_that_is_none_is_refused(api):
    """Empty, or longer than anybody needs."""
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
def test_what_is_no_order_is_refused_with_its_field(api, system, body, pointer):
    """A pointer into the body, for programs; words for people."""
    response = api.post(ORDERS, json=body)

    assert 422 == response.status_code
    assert [pointer] == [error["pointer"] for error in response.json()["errors"]]
    assert [] == system.records()


@pytest.mark.parametrize(
    "raw", [b"{", b"", b"\xff", b'{"id": "\\ud800"}', b"[" * 100_000, b'{"id": "a", "x":' * 9_999]
)
def test_what_is_no_json_is_refused(api, raw):
    """However strange."""
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
def test_what_does_not_say_that_it_is_json_is_refused(api, headers):
    """A browser sends JSON to another site only after asking."""
    assert 415 == api.post(ORDERS, content=b"{}", headers=headers).status_code


def test_json_may_say_its_encoding(api):
    """Which is the only one it has."""
    said = {"Content-Type": 'Application/JSON; charset="UTF-8"'}

    assert 201 == api.post(ORDERS, content=b'{"id": "a"}', headers=said).status_code


def test_a_body_that_is_too_large_is_refused_whether_or_not_it_says_so(system):
    """By its length, or once it is too long."""
    with serving(system.settings, max_body=1000) as api:
        said = api.post(ORDERS, content=b"x" * 1001, headers={"Content-Type": "application/json"})
        chunks = (b"x" * 100 for _ in range(100))
        unsaid = api.post(ORDERS, content=chunks, headers={"Content-Type": "application/json"})

    assert [413, 413] == [said.status_code, unsaid.status_code]
    assert "close" == unsaid.headers["Connection"]


def test_orders_that_come_together_are_stored_together(api, system):
    """And each is answered with what became of it."""
    ids = [f"o-{n % 100}" for n in range(200)]
    with ThreadPoolExecutor(20) as threads:
        answers = list(
            threads.map(lambda i: api.post(ORDERS, json=an_order_body(i)).status_code, ids)
        )

    assert {201: 100, 200: 100} == Counter(answers)
    assert 100 == len(system.records())


def test_when_too_many_wait_the_next_is_asked_to_come_again(system):
    """While the database is locked by somebody else, say."""
    with serving(system.settings, queue=3) as api, ThreadPoolExecutor(8) as threads:
        with system.log.transaction():
            posts = [
                threads.submit(api.post, ORDERS, json=an_order_body(f"o-{n}")) for n in range(8)
            ]
            refused = [each.result() for each in islice(as_completed(posts), 5)]
        statuses = [each.result().status_code for each in posts]

    assert {503: 5, 201: 3} == Counter(statuses)
    assert {"1"} == {response.headers["Retry-After"] for response in refused}


class AwayAtFirst(EmbeddedLog):
    """A log whose first transaction finds the database away."""

    first = True

    @contextmanager
    def transaction(self):
        if AwayAtFirst.first:
            AwayAtFirst.first = False
            raise StoreUnavailableError("secret.example:5432 is away")
        with super().transaction() as cursor:
            yield cursor


def test_a_database_that_is_away_is_no_fault_of_the_client(system, monkeypatch):
    """It may come again; what went wrong is in the log alone."""
    monkeypatch.setattr(AwayAtFirst, "first", True)

    def open_log():
        return AwayAtFirst(system.settings.database, system.settings.partitions)

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
    """Nobody can know which one is meant."""
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


def test_a_key_of_the_former_version_brings_the_former_order(api, system):
    """A client may repeat a request after the server has been upgraded."""
    key = blake2b(b"local\nk-1", digest_size=16).hexdigest()
    former = str(uuid.uuid5(uuid.UUID("5a3f9d52-5d1c-4f0e-9a53-1c6a1c0de5a9"), key))
    body = an_order_body(former)
    api.post(ORDERS, json=body, headers={"Idempotency-Key": "k-1"})
    del body["orderId"]
    again = api.post(ORDERS, json=body, headers={"Idempotency-Key": "k-1"})

    assert (200, former) == (again.status_code, again.json()["orderId"])
