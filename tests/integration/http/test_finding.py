"""Finding orders and sagas over HTTP, and exporting what is found."""

import csv
import io
import json
import re

import pytest

from order_sagas.actors.messages import OrderCreated, OrderLine
from order_sagas.bridges.http.api import exports
from order_sagas.bridges.storage import search


@pytest.fixture
def filled(system):
    """Orders A, B and C; B cannot be delivered, and its customer is named like a formula."""
    with system:
        system.load({"PEN": 9})
        for order_id, customer, sku in (("A", "ann", "PEN"), ("B", "@b", "INK"), ("C", "c", "PEN")):
            lines = (OrderLine(sku=sku, quantity=1, unit_price=12_345),)
            system.put(
                OrderCreated(order_id=order_id, customer_id=customer, currency="EUR", lines=lines)
            )
        yield system


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"customer": "ann"}, "A"),
        ({"sku": "INK"}, "B"),
        ({"amountFrom": "EUR 123.45", "amountTo": "12345"}, "CBA"),
        ({"amountTo": 12_344}, ""),
        ({"currency": "JPY"}, ""),
        ({"code": "out_of_stock", "status": "CANCELLED"}, "B"),
        ({"reason": "ink"}, "B"),
        ({"version": 1, "prefix": "C"}, "C"),
        ({"startedFrom": "2023-11-14", "startedTo": "2023-11-16T00:00:00+01:00"}, "CBA"),
        ({"endedTo": "2023-01-01"}, ""),
        ({"step": "process payment"}, ""),
    ],
)
def test_orders_are_found(filled, api, which, expected):
    """The newest first, and how far back the search went."""
    page = api.get("/api/v1/orders", params=which).json()

    assert expected == "".join(order["orderId"] for order in page["orders"])
    assert page["next"] is None


def test_pages_of_a_search(filled, api, monkeypatch):
    """Pages of orders and of sagas. A frequent value is searched from the newest on."""
    monkeypatch.setattr(search, "FEW", -1)
    first = api.get("/api/v1/orders", params={"version": 1, "limit": 2}).json()
    second = api.get(
        "/api/v1/orders", params={"version": 1, "limit": 2, "after": first["next"]}
    ).json()
    sagas = api.get("/api/v1/sagas", params={"saga": "place-order", "limit": 2}).json()
    others = api.get("/api/v1/sagas", params={"saga": "place-order", "after": sagas["next"]}).json()

    assert "CB" == "".join(order["orderId"] for order in first["orders"])
    assert "A" == "".join(order["orderId"] for order in second["orders"])
    assert first["searchedBackTo"].startswith("2023-11-14T")
    assert ["C", "B"] == [saga["orderId"] for saga in sagas["sagas"]]
    assert ["A"] == [saga["orderId"] for saga in others["sagas"]]


@pytest.mark.parametrize(
    ("which", "parameter"),
    [
        ({"amountFrom": "much"}, "amountFrom"),
        ({"amountFrom": "EUR 1", "amountTo": "JPY 2"}, "amountTo"),
        ({"startedFrom": "yesterday"}, "startedFrom"),
        ({"version": "x"}, "version"),
        ({"customer": "x" * 201}, "customer"),
        ({"custommer": "ann"}, "custommer"),
    ],
)
def test_a_wrong_parameter_is_named(filled, api, which, parameter):
    """In lists and exports."""
    for path in ("/api/v1/orders", "/api/v1/exports/orders"):
        response = api.get(path, params=which)

        assert 422 == response.status_code
        assert parameter == response.json()["errors"][0]["parameter"]


def test_no_endpoint_accepts_an_unknown_parameter(filled, api):
    """With a misspelt filter, all entries would look like matches."""
    paths = api.get("/openapi.json").json()["paths"]
    reading = [path for path, does in paths.items() if path.startswith("/api/") and "get" in does]
    answers = {
        path: api.get(re.sub("{[^}]*}", "A", path), params={"customr": "ann"}) for path in reading
    }

    assert len(reading) > 12
    assert dict.fromkeys(reading, 422) == {
        path: answer.status_code for path, answer in answers.items()
    }


def test_lists_are_exported_whole_a_page_at_a_time(filled, api, monkeypatch):
    """As CSV without formulas, and as JSON Lines of what the list has."""
    monkeypatch.setattr(exports, "PAGE", 2)
    found = api.get("/api/v1/exports/orders", params={"format": "csv"})
    rows = [*csv.DictReader(io.StringIO(found.text))]
    lines = api.get("/api/v1/exports/orders", params={"format": "jsonl", "sku": "PEN"}).text
    listed = api.get("/api/v1/orders", params={"sku": "PEN"}).json()["orders"]
    sagas = [*csv.DictReader(io.StringIO(api.get("/api/v1/exports/sagas").text))]
    api.post("/api/v1/services/stock/pause", json={"why": "=x"})
    actions = [*csv.DictReader(io.StringIO(api.get("/api/v1/exports/operator-actions").text))]

    assert "text/csv; charset=utf-8" == found.headers["content-type"]
    assert 'attachment; filename="orders.csv"' == found.headers["content-disposition"]
    assert [("C", "c"), ("B", "'@b"), ("A", "ann")] == [
        (row["orderId"], row["customerId"]) for row in rows
    ]
    assert ("12345", "EUR 123.45") == (rows[0]["amount"], rows[0]["amountText"])
    assert listed == [json.loads(line) for line in lines.splitlines()]
    assert ["C", "B", "A"] == [row["orderId"] for row in sagas]
    assert [("pause", "'=x")] == [(row["action"], row["why"]) for row in actions]
    assert 422 == api.get("/api/v1/exports/orders", params={"format": "xml"}).status_code


def test_dead_letters_are_found_and_exported(filled, api):
    """By topic, error and time; replayed and discarded ones only if they are asked for."""
    for value in (b"oops", b"{}"):
        filled.log.append(filled.log.outgoing("order-events", "A", value))
    filled.run()
    letters, path = "/api/v1/dead-letters", "/api/v1/exports/dead-letters"
    listed = api.get(letters).json()["deadLetters"]
    found = [
        [each["number"] for each in api.get(letters, params=which).json()["deadLetters"]]
        for which in (
            {"error": "NOT JSON"}, {"topic": "stock-events"}, {"until": "2023-01-01"},
            {"since": "2023-01-01"},
        )
    ]  # fmt: skip
    lines = api.get(path, params={"format": "jsonl", "error": "not json"}).text.splitlines()
    api.post(f"{letters}/{listed[0]['number']}/discard", json={"why": "=x"})
    rows = [*csv.DictReader(io.StringIO(api.get(path, params={"all": "true"}).text))]
    open_rows = [*csv.DictReader(io.StringIO(api.get(path).text))]
    numbers = [each["number"] for each in listed]

    assert [numbers[:1], [], [], numbers] == found
    assert listed[:1] == [json.loads(line) for line in lines]
    assert [("discarded", "'=x", "{}"), ("", "", "{}")] == [
        (row["action"], row["why"], row["headers"]) for row in rows
    ]
    assert [str(numbers[1])] == [row["number"] for row in open_rows]
    assert 422 == api.get(letters, params={"since": "lately"}).status_code
