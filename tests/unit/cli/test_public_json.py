"""JSON of the command line has the names and forms of the HTTP API."""

import json

import pytest

from order_sagas.system.cli.public_json import ByName, public
from tests.support.embedded import an_order


def test_names_are_in_camel_case_at_any_depth() -> None:
    """In lists too."""
    given = {"saga_status": "RUNNING", "steps": [{"last_error": "x"}], "sku": 1}

    assert {"sagaStatus": "RUNNING", "steps": [{"lastError": "x"}], "sku": 1} == public(given)


def test_names_that_are_data_stay() -> None:
    """Such as topics."""
    assert {"lag": {"my_topic": {"inFlight": 1}}} == public(
        {"lag": ByName({"my_topic": {"in_flight": 1}})}
    )


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"created_at": 1700000000.25}, {"createdAt": "2023-11-14T22:13:20.250Z"}),
        ({"deadline": 1700000000}, {"deadline": "2023-11-14T22:13:20.000Z"}),
        ({"ended_at": None, "since": 0.0}, {"endedAt": None, "since": None}),
        ({"at": "2023-11-14T22:13:20Z"}, {"at": "2023-11-14T22:13:20Z"}),
    ],
)
def test_times_are_iso_8601(given, shown):
    """A time that was never is null."""
    assert shown == public(given)


@pytest.mark.parametrize(
    ("amount", "currency", "text"),
    [(300, "EUR", "EUR 3.00"), (300, "JPY", "JPY 300"), (None, None, None)],
)
def test_amounts_are_minor_units_with_their_text(amount, currency, text):
    """As the API has them."""
    given = {"amount": amount, "currency": currency}

    assert {"amount": amount, "amountText": text, "currency": currency} == public(given)


def _names(value):
    if isinstance(value, dict):
        return {*value}.union(*map(_names, value.values()))
    return set().union(*map(_names, value)) if isinstance(value, list) else set()


@pytest.mark.parametrize(
    "args",
    [
        ("orders",), ("sagas",), ("show", "A"), ("status",), ("stock", "show"), ("audit",),
        ("database", "version"), ("messages",), ("dead-letters", "list"),
    ],
    ids=" ".join,
)  # fmt: skip
def test_every_reading_command_has_json(system, run, args):
    """No name has an underscore."""
    system.start()
    system.put(an_order("A"))
    system.run()
    found = json.loads(run(*args, "--json").stdout)

    assert found or args[0] in ("dead-letters", "stock")
    assert set() == {name for name in _names(found) if "_" in name}
