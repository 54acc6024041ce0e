"""Sagas of a user's app over HTTP: they are started, signalled, and described."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.embedded import EmbeddedSystem
from tests.support.http_service import serving, tokens_file
from tests.support.rentals import APP

SAGAS = "/api/v1/sagas"
VAN = {"orderId": "r/1", "car": "van", "deposit": 500}
LONG = {"orderId": "r-9", "car": "van", "days": 90}
SIGNALS = f"{SAGAS}/rent-car%2Fr-9/signals"


@pytest.fixture
def rentals(tmp_path: Path) -> Iterator[EmbeddedSystem]:
    """A running system of rentals, on virtual time."""
    settings = {"app": "tests.support.rentals:APP"}
    with EmbeddedSystem(
        tmp_path, settings=settings, sagas=APP.sagas, services=APP.services
    ) as system:
        yield system


@pytest.fixture
def api(rentals: EmbeddedSystem) -> Iterator[httpx.Client]:
    """A client of the API on its database."""
    with serving(rentals.settings) as client:
        yield client


def test_a_saga_is_started_once(api: httpx.Client, rentals: EmbeddedSystem) -> None:
    """201 when it is stored, 200 for a repetition, 409 for other content."""
    first, again = (api.post(f"{SAGAS}/rent-car", json=VAN) for _ in range(2))
    other = api.post(f"{SAGAS}/rent-car", json={**VAN, "car": "sedan"})
    rentals.run()
    shown = api.get(first.headers["location"])

    assert [201, 200, 409] == [first.status_code, again.status_code, other.status_code]
    receipt = {"sagaId": "rent-car/r/1", "saga": "rent-car", "orderId": "r/1"}
    assert receipt == first.json() == again.json()
    assert "hand over keys" == shown.json()["step"]
    assert 1 == [each["status"] for each in rentals.records()].count("RENTAL_REQUESTED")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({**VAN, "cra": "van"}, "#/cra"),
        ({**VAN, "sagaId": "x"}, "#/sagaId"),
        ({**VAN, "days": "two"}, "#/days"),
        ({"car": "van"}, "#/orderId"),
        ({**VAN, "orderId": ""}, "#/orderId"),
        ([VAN], "#"),
    ],
)
def test_a_start_that_is_wrong_is_refused(
    api: httpx.Client, rentals: EmbeddedSystem, body: Any, pointer: str
) -> None:
    """With the field; nothing is stored."""
    refused = api.post(f"{SAGAS}/rent-car", json=body)

    assert 422 == refused.status_code
    assert [pointer] == [each["pointer"] for each in refused.json()["errors"]]
    assert [] == rentals.records()


def test_a_field_that_is_given_twice_is_refused(api: httpx.Client) -> None:
    """JSON parsers differ in which of them they use."""
    headers = {"Content-Type": "application/json"}
    body = '{"orderId": "r-1", "orderId": "r-2"}'
    refused = api.post(f"{SAGAS}/rent-car", content=body, headers=headers)

    assert 422 == refused.status_code
    assert "more than once" in refused.json()["detail"]


def test_a_saga_that_the_app_does_not_have_is_not_found(api: httpx.Client) -> None:
    """The error names the sagas of the app."""
    refused = api.post(f"{SAGAS}/place-order", json=VAN)

    assert 404 == refused.status_code
    assert "there is no saga 'place-order'; there are 'rent-car'" == refused.json()["detail"]


@pytest.mark.parametrize(
    ("message", "body", "status"),
    [("RENTAL_APPROVED", {"byWhom": "ada"}, "RUNNING"), ("RentalRejected", None, "CANCELLED")],
)
def test_a_signal_is_sent(
    api: httpx.Client, rentals: EmbeddedSystem, message: str, body: Any, status: str
) -> None:
    """With or without a body, by the status or the class."""
    api.post(f"{SAGAS}/rent-car", json=LONG)
    rentals.run()
    headers = {"Content-Type": "application/json"}
    sent = api.post(f"{SIGNALS}/{message}", json=body, headers=headers)
    rentals.run()

    assert 202 == sent.status_code
    assert "rent-car/r-9" == sent.json()["sagaId"]
    assert status == rentals.status("r-9", "rent-car")


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        (f"{SAGAS}/rent-car%2Fr-8/signals/RENTAL_APPROVED", {}, 404),
        (f"{SIGNALS}/CAR_RESERVED", {}, 404),
        (f"{SIGNALS}/RENTAL_APPROVED", {"byWho": "ada"}, 422),
        (f"{SIGNALS}/RENTAL_APPROVED", {"orderId": "r-8"}, 422),
        (f"{SIGNALS}/RENTAL_APPROVED", [], 422),
    ],
)
def test_a_signal_that_is_wrong_is_refused(
    api: httpx.Client, rentals: EmbeddedSystem, path: str, body: Any, code: int
) -> None:
    """And nothing is sent."""
    api.post(f"{SAGAS}/rent-car", json=LONG)
    rentals.run()

    assert code == api.post(path, json=body).status_code
    assert [] == rentals.records("saga-signals")


def test_a_saga_that_has_ended_takes_no_signal(api: httpx.Client, rentals: EmbeddedSystem) -> None:
    """409, as for other actions that its state does not allow."""
    api.post(f"{SAGAS}/rent-car", json=LONG)
    rentals.run()
    api.post(f"{SIGNALS}/RENTAL_REJECTED", json={})
    rentals.run()

    assert 409 == api.post(f"{SIGNALS}/RENTAL_APPROVED", json={}).status_code


def test_submitters_start_sagas_and_operators_signal_them(
    rentals: EmbeddedSystem, tmp_path: Path
) -> None:
    """A submitter may not send an approval."""
    tokens = tokens_file(tmp_path)
    found = {}
    for token in ("os_submit", "os_read", "os_operate"):
        with serving(rentals.settings, token=token, tokens=tokens) as api:
            start = api.post(f"{SAGAS}/rent-car", json={**LONG, "orderId": token})
            rentals.run()
            path = f"{SAGAS}/rent-car%2F{token}/signals/RENTAL_APPROVED"
            found[token] = start.status_code, api.post(path, json={}).status_code

    assert {"os_submit": (201, 403), "os_read": (403, 403), "os_operate": (201, 202)} == found


def test_the_messages_are_described(api: httpx.Client) -> None:
    """What starts a saga, and what it waits for, without what the system sets."""
    described = api.get("/openapi.json").json()
    schemas = described["components"]["schemas"]
    body = described["paths"][f"{SAGAS}/{{id}}"]["post"]["requestBody"]["content"]

    assert {"$ref": "#/components/schemas/message.RentalRequested"} == (
        body["application/json"]["schema"]
    )
    start = schemas["message.RentalRequested"]
    trace = {"traceparent", "tracestate"}
    assert {"status", "orderId", "car", "days", "deposit"} | trace == {*start["properties"]}
    assert (["orderId"], False) == (start["required"], start["additionalProperties"])
    assert [] == schemas["message.RentalApproved"]["required"]


def test_an_app_without_orders_takes_none(api: httpx.Client, rentals: EmbeddedSystem) -> None:
    """An order would become a dead letter; a saga is shown as a saga, not as an order."""
    api.post(f"{SAGAS}/rent-car", json=LONG)
    rentals.run()
    refused = api.post("/api/v1/orders", json={"orderId": "o-1", "customerId": "c"})

    assert 404 == refused.status_code
    assert "takes no orders; start sagas with POST" in refused.json()["detail"]
    assert 404 == api.get("/api/v1/orders/r-9").status_code
    assert "approve long rental" == api.get(f"{SAGAS}/r-9").json()["step"]


def test_an_own_saga_is_cancelled(api: httpx.Client, rentals: EmbeddedSystem) -> None:
    """By its id, or by its order id."""
    api.post(f"{SAGAS}/rent-car", json=LONG)
    rentals.run()
    done = api.post(f"{SAGAS}/r-9/cancel", json={"why": "no more cars"})
    rentals.run()

    assert 202 == done.status_code
    assert "CANCELLED" == rentals.status("r-9", "rent-car")
