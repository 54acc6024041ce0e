"""Amounts are the same on the command line, from the API and so on the page, in every currency."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from iso4217 import Currency

from order_sagas.actors.messages import OrderLine
from order_sagas.actors.money import money
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.http.dashboard import static_files as page
from order_sagas.system.cli.main import main
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import serving

CODES = [each.code for each in Currency] + ["ABC", ""]
AMOUNTS = (1_234_567, 0, -300, 2**62 + 1)


def orders_in_every_currency():
    """An order for each currency code and amount; whether it is charged does not matter."""
    for code in CODES:
        for amount in AMOUNTS:
            lines = (OrderLine(sku="PEN", quantity=1, unit_price=amount),)
            yield an_order(f"{code}:{amount}", currency=code, lines=lines)


def command(system: EmbeddedSystem, *words: str) -> str:
    """The output of a command on this database."""
    database = system.settings.database
    env = {"COLUMNS": "250"}
    done = CliRunner().invoke(main, [*words, "--database", database], env=env)
    assert 0 == done.exit_code, done.output
    return done.stdout


def test_command_line_and_api_show_every_currency_alike(system, api):
    """By ISO 4217; browsers differ from it in some twenty currencies."""
    system.start()
    system.put(*orders_in_every_currency())
    expected = {f"{c}:{a}": money(a, c) for c in CODES for a in AMOUNTS}
    answered = api.get("/api/v1/orders?limit=1000").json()["orders"]
    shown = command(system, "orders", "--limit", "0").splitlines()

    assert expected == {each["orderId"]: each["amountText"] for each in answered}
    assert expected == {
        line.split()[0]: text
        for line in shown
        for text in [expected.get(line.split()[0] if line.split() else "", "")]
        if text and f"  {text}  " in line.replace("│", " ")
    }


def test_an_order_is_shown_with_the_same_amount_everywhere(system, api):
    """Of the order and of its payment."""
    system.start()
    system.load({"PEN": 10})
    system.put(an_order("A", currency="KWD"))
    order = api.get("/api/v1/orders/A").json()
    shown = command(system, "show", "A")

    assert ("KWD 0.300", "KWD 0.300") == (order["amountText"], order["payment"]["amountText"])
    assert 2 == shown.count("KWD 0.300")


def test_output_for_programs_is_in_minor_units(system, api):
    """From the commands and from the API."""
    system.start()
    system.load({"PEN": 10})
    system.put(an_order("A", currency="JPY"))
    (row,) = json.loads(command(system, "orders", "--json"))
    whole = json.loads(command(system, "show", "A", "--json"))
    shown = api.get("/api/v1/orders/A").json()

    assert (300, "JPY") == (row["amount"], row["currency"])
    for part in (whole["order"], whole["payment"]):
        assert (300, "JPY") == (part["amount"], part["currency"])
    assert (300, 300) == (shown["amount"], shown["payment"]["amount"])


def test_minor_units_are_documented(tmp_path):
    """In the description of the API, field by field, and in the help of the commands."""
    with EmbeddedSystem(tmp_path) as system, serving(system.settings) as api:
        schemas = api.get("/openapi.json").json()["components"]["schemas"]
    fields = [
        ("OrderSummary", "amount"), ("OrderView", "amount"), ("PaymentView", "amount"),
        ("OrderLineView", "unitPrice"), ("LineForm", "unitPrice"),
    ]  # fmt: skip
    for schema, field in fields:
        assert "minor units" in json.dumps(schemas[schema]["properties"][field]), (schema, field)
    for name in ("orders", "show"):
        said = CliRunner().invoke(main, [name, "--help"]).stdout
        assert "minor units" in " ".join(said.split())


def test_the_page_formats_no_currency():
    """It shows the text that the API gives for each amount."""
    for script in sorted(Path(page.FILES).glob("*.js")):
        assert "currency" not in script.read_text(encoding="utf-8"), script.name


@pytest.mark.parametrize(
    ("currency", "reason"),
    [
        ("EUR", "EUR 3.00 is above the limit of EUR 2.00"),
        ("JPY", "JPY 300 is above the limit of JPY 200"),
        ("ABC", "300 minor units of ABC is above the limit of 200 minor units of ABC"),
    ],
)
def test_amounts_in_reasons_are_formatted_alike(tmp_path, currency, reason):
    """Reasons are shown in lists, in the trace, and in the mail to the customer."""
    gateway = SimulatedGateway(decline_above=200)
    with EmbeddedSystem(tmp_path, gateway=gateway) as system, serving(system.settings) as api:
        system.put(an_order("A", currency=currency))
        text = json.loads(command(system, "show", "A", "--json"))["notification"]["text"]

        assert reason == api.get("/api/v1/orders/A").json()["reason"]
        assert f"Your order A was cancelled: {reason}." == text
