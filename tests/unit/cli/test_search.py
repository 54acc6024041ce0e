"""`orders` and `sagas` with search options, and as CSV."""

import csv
import io

import pytest

from order_sagas.actors.messages import OrderCreated, OrderLine
from order_sagas.system.cli import search


@pytest.fixture
def filled(system):
    """Two orders, of which one is completed; a customer is named like a formula."""
    with system:
        system.load({"PEN": 9})
        for order_id, customer, sku in (("A", "ann", "PEN"), ("B", "=1+1", "INK")):
            lines = (OrderLine(sku=sku, quantity=1, unit_price=12_345),)
            system.put(
                OrderCreated(order_id=order_id, customer_id=customer, currency="EUR", lines=lines)
            )
        yield system


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (("--customer", "ann"), ["A"]),
        (("--sku", "INK"), ["B"]),
        (("--amount-from", "EUR 123.45", "--amount-to", "12345"), ["B", "A"]),
        (("--amount-from", "EUR 123.46"), []),
        (("--amount-from", "JPY 1"), []),
        (("--code", "out_of_stock"), ["B"]),
        (("--reason", "ink", "--status", "cancelled"), ["B"]),
        (("--version", "1", "--limit", "1"), ["B"]),
        (("--since", "2023-11-14", "--until", "2023-11-15T00:00+00:00"), ["B", "A"]),
        (("--ended-since", "2024-01-01"), []),
        (("--prefix", "A"), ["A"]),
    ],
)
def test_orders_are_found(run_json, filled, options, expected):
    """By each option; the newest first."""
    assert expected == [order["orderId"] for order in run_json("orders", *options)]


def test_sagas_are_found(run_json, filled):
    """By definition, code and time, and by what is known of their orders."""
    found = [
        [saga["orderId"] for saga in run_json("sagas", *options)]
        for options in (
            ("--saga", "place-order"), ("--saga", "other"), ("--code", "out_of_stock"),
            ("--version", "1", "--ended-until", "2030-01-01", "--status", "completed"),
            ("--customer", "ann"), ("--sku", "INK"), ("--prefix", "B", "--amount-to", "EUR 1"),
        )
    ]  # fmt: skip

    assert [["B", "A"], [], ["B"], ["A"], ["A"], ["B"], []] == found


def test_a_list_as_csv_has_no_formulas(run, filled):
    """Texts that begin like a formula are quoted; amounts are minor units, times ISO 8601."""
    first, second = csv.DictReader(io.StringIO(run("orders", "--csv").stdout))
    sagas = [*csv.DictReader(io.StringIO(run("sagas", "--csv").stdout))]

    assert ("'=1+1", "ann") == (first["customerId"], second["customerId"])
    assert ("12345", "EUR") == (first["amount"], first["currency"])
    assert first["createdAt"].startswith("2023-11-14T")
    assert ["B", "A"] == [saga["orderId"] for saga in sagas]
    assert "" == run("orders", "--csv", "--customer", "nobody").stdout
    assert not {"\r", "\\"} & {*run("orders", "--csv").stdout}


def test_a_long_list_is_printed_a_page_at_a_time(run, filled, monkeypatch):
    """With one line of column names; pages do not change the output."""
    whole = [run(what, "--csv").stdout for what in ("orders", "sagas")]
    monkeypatch.setattr(search, "_PAGE", 1)

    assert whole == [run(what, "--csv", "--limit", "0").stdout for what in ("orders", "sagas")]
    assert [3, 3] == [len(text.splitlines()) for text in whole]
    assert 2 == len(run("orders", "--csv", "--limit", "1").stdout.splitlines())


@pytest.mark.parametrize(
    ("options", "error"),
    [
        (("--since", "yesterday"), "no date or time in ISO 8601"),
        (("--amount-to", "5 EUR"), "is no amount, such as EUR 499.50"),
        (("--amount-to", "EUR 1.005"), "is no amount"),
        (("--amount-to", "EUR 5", "--currency", "JPY"), "several currencies: EUR, JPY"),
    ],
)
def test_a_wrong_option_is_named(run, filled, options, error):
    """The error says what is accepted."""
    result = run("orders", *options)

    assert 2 == result.exit_code
    assert error in " ".join(result.stderr.split())
