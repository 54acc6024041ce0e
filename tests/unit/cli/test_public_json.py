"""JSON of the command line has the names and forms of the HTTP API."""

import json
import re

import msgspec
import pytest

from order_sagas.bridges.http.api.schemas import (
    DeadLetterView,
    ListedSaga,
    OrderSummary,
    StockLevelView,
)
from order_sagas.system.cli.public_json import ByName, public
from tests.support.embedded import an_order
from tests.unit.cli.test_bad_arguments import commands


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
    """A time of 0 is null."""
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


def _fields(value):
    """The fields of plain data that hold no other fields, by name."""
    for name, each in value.items() if isinstance(value, dict) else ():
        if not isinstance(each, dict | list):
            yield name, each
    for each in value.values() if isinstance(value, dict) else value:
        if isinstance(each, dict | list):
            yield from _fields(each)


ISO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")

READING = {
    "actions list": (),
    "audit": (),
    "database version": (),
    "dead-letters list": ("--all",),
    "dead-letters show": ("{letter}",),
    "messages": (),
    "orders": (),
    "sagas": (),
    "sagas early": (),
    "sagas locks": (),
    "schedules": (),
    "settings": (),
    "show": ("A",),
    "status": (),
    "stock show": (),
    "topics check": (),
    "trace": ("A",),
}
"""Every command that reads, with the arguments that it needs."""
EMPTY = {"sagas early", "sagas locks", "schedules"}
"""Commands whose output is empty for an app without early replies, locks and schedules."""
CHANGING = {
    "actions approve", "actions reject", "cancel", "completion", "database migrate",
    "dead-letters discard", "dead-letters replay",
    "deadlines repair", "demo", "http", "http token", "inject", "new", "pause", "prune", "resume",
    "retry", "sagas migrate", "sagas start", "signal", "simulate", "skip", "start", "stock load",
    "stop", "submit", "topics accept-reset", "topics asyncapi", "topics create", "unpause",
}  # fmt: skip
"""The others: they change something, run something, or print a document of another form."""


def test_every_command_reads_or_changes() -> None:
    """A new one has to be added to one of the lists above."""
    found = {" ".join(words) for words, _ in commands()}

    assert found == READING.keys() | CHANGING
    assert not READING.keys() & CHANGING


@pytest.mark.parametrize("name", sorted(READING))
def test_every_reading_command_has_json(busy, run, name) -> None:
    """One document, without a name that has an underscore; times are ISO 8601 in UTC, or null."""
    command = {" ".join(words): found for words, found in commands()}[name]
    assert any("--json" in parameter.opts for parameter in command.params)
    if name == "topics check":
        return  # it needs a Kafka; tests/integration/kafka run it

    (letter,) = json.loads(run("dead-letters", "list", "--json").stdout)
    args = [each.format(letter=letter["number"]) for each in READING[name]]
    shown = run(*name.split(), *args, "--json")
    found = json.loads(shown.stdout)

    assert shown.exit_code in (0, 1)  # 1: no system runs
    assert found or name in EMPTY
    if name != "settings":  # whose names are those of the file and the variables
        assert set() == {each for each in _names(found) if "_" in each}
    for field, value in _fields(found):
        if field.endswith("At") and field != "lookedAt":
            assert value is None or ISO.fullmatch(value), field
        if field in ("amount", "unitPrice"):
            assert value is None or isinstance(value, int), field


@pytest.mark.parametrize(
    ("args", "view", "absent"),
    [
        (("orders",), OrderSummary, set()),
        (("sagas",), ListedSaga, {"paused", "cause"}),
        (("stock", "show"), StockLevelView, set()),
        (("dead-letters", "list"), DeadLetterView, {"truncated"}),
    ],
    ids=lambda given: " ".join(given) if isinstance(given, tuple) else "",
)
def test_lists_have_the_names_of_the_http_api(system, run_json, args, view, absent) -> None:
    """So that a script can switch between them. Some fields are there only if they are true."""
    system.start()
    system.load({"PEN": 9})
    system.put(an_order("A"))
    system.put_raw("payment-events", b"no JSON")
    row, *_ = run_json(*args)

    names = {field.encode_name for field in msgspec.structs.fields(view)}
    assert absent == names - {*row}
