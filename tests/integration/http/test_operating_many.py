"""Bulk actions of an operator over HTTP, on sagas and dead letters that match a filter."""

import pytest

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.messages import LoadStock, OrderLine
from order_sagas.actors.sagas.definition import hours
from tests.support.embedded import BEGAN, EmbeddedSystem, an_order
from tests.support.http_service import serving, tokens_file

SAGAS = "/api/v1/sagas/actions"
LETTERS = "/api/v1/dead-letters/actions"
PAYMENT = {"step": "process payment"}


@pytest.fixture
def stuck(tmp_path, refunds_later):
    """Orders A, B and C, whose payments cannot be refunded, and D, which is complete."""
    with EmbeddedSystem(tmp_path, gateway=refunds_later) as system:
        system.put(an_order("A"), an_order("B"))
        system.advance(hours(1))
        system.put(an_order("C"))
        system.put(LoadStock(order_id="l", lines=(OrderLine(sku="PEN", quantity=9),)))
        system.put(an_order("D"))
        system.advance(hours(5))
        yield system


def ask(client, path, action, which, **more):
    """The response to a bulk action."""
    return client.post(path, json={"action": action, "filter": which, **more})


def ids(*order_ids):
    """The ids of their sagas."""
    return [f"place-order/{order_id}" for order_id in order_ids]


def notes(system, order_id):
    """The notes in the history of an order's saga."""
    return [entry.note for entry in system.saga(order_id).history]


def test_a_dry_run_lists_the_sagas_and_changes_nothing(operator, stuck):
    """The oldest first."""
    before = len(stuck.records())
    response = ask(operator, SAGAS, "retry", PAYMENT, dryRun=True)

    assert 200 == response.status_code
    assert {
        "action": "retry",
        "by": "shop",
        "dryRun": True,
        "count": 3,
        "more": False,
        "refused": {},
        "workers": None,
        "request": None,
        "pending": 0,
        "sagaIds": ids("A", "B", "C"),
        "deadLetters": None,
    } == response.json()
    assert before == len(stuck.records())


@pytest.mark.parametrize(("action", "which"), [("retry", PAYMENT), ("resume", {})])
def test_all_stuck_sagas_are_retried_together(operator, stuck, action, which, refunds_later):
    """The history of each has the operator and the reason; other sagas are not changed."""
    refunds_later.answers.set()
    response = ask(operator, SAGAS, action, which, why="the provider is back")
    stuck.run()

    assert (202, 3) == (response.status_code, response.json()["count"])
    assert ids("A", "B", "C") == response.json()["sagaIds"]
    assert ["CANCELLED"] * 3 + ["COMPLETED"] == [stuck.status(each) for each in "ABCD"]
    for order_id in "ABC":
        assert f"{action} by shop: the provider is back" in notes(stuck, order_id)
    assert 0 == ask(operator, SAGAS, action, which).json()["count"]


def test_a_limit_takes_the_oldest_and_reports_the_rest(operator, stuck, refunds_later):
    """The next request takes the rest."""
    refunds_later.answers.set()
    first = ask(operator, SAGAS, "resume", {"limit": 2}).json()
    stuck.run()
    second = ask(operator, SAGAS, "resume", {"limit": 2}).json()

    assert (ids("A", "B"), True) == (first["sagaIds"], first["more"])
    assert (ids("C"), False) == (second["sagaIds"], second["more"])


def test_sagas_are_chosen_by_age_code_status_and_definition(operator):
    """All conditions together; a definition without sagas matches none."""
    now = SystemClock().now()
    filters = [
        {"olderThan": now - BEGAN - 1800, "code": "out_of_stock", "saga": "place-order"},
        {"olderThan": now - BEGAN + 3600},
        {"code": "no_such_code"},
        {"statuses": ["RUNNING", "COMPENSATING"]},
    ]
    found = [ask(operator, SAGAS, "resume", each, dryRun=True).json() for each in filters]

    assert [ids("A", "B"), [], [], []] == [each["sagaIds"] for each in found]


def test_matching_sagas_that_refuse_are_counted_with_the_reason(operator, stuck):
    """They are being compensated, so they cannot be cancelled."""
    before = len(stuck.records())
    response = ask(operator, SAGAS, "cancel", {}, why="the shop closes")

    assert (202, 0) == (response.status_code, response.json()["count"])
    assert {"it is being compensated already": 3} == response.json()["refused"]
    assert before == len(stuck.records())


@pytest.mark.parametrize(
    ("path", "body", "pointer"),
    [
        (SAGAS, {}, "#/action"),
        (SAGAS, {"action": "forget", "filter": {}}, "#/action"),
        (SAGAS, {"action": "resume"}, "#/filter"),
        (SAGAS, {"action": "resume", "filter": {"setp": "x"}}, "#/filter"),
        (SAGAS, {"action": "resume", "filter": {}, "dryrun": True}, "#"),
        (SAGAS, {"action": "resume", "filter": {"statuses": ["COMPLETED"]}}, "#/filter/statuses/0"),
        (SAGAS, {"action": "resume", "filter": {"saga": "no-such"}}, "#/filter/saga"),
        (SAGAS, {"action": "resume", "filter": {"step": "no such"}}, "#/filter/step"),
        (SAGAS, {"action": "resume", "filter": {"code": "a\0b"}}, "#/filter/code"),
        (SAGAS, {"action": "resume", "filter": {"olderThan": -1}}, "#/filter/olderThan"),
        (SAGAS, {"action": "resume", "filter": {"limit": 0}}, "#/filter/limit"),
        (SAGAS, {"action": "resume", "filter": {"limit": 1001}}, "#/filter/limit"),
        (SAGAS, {"action": "resume", "filter": {"sagaIds": ["A"]}}, "#/filter/sagaIds/0"),
        (SAGAS, {"action": "resume", "filter": {}, "request": "0" * 32}, "#/request"),
        (LETTERS, {"action": "replay", "filter": {"numbers": [-1]}}, "#/filter/numbers/0"),
        (SAGAS, {"action": "retry", "filter": {}}, "#/filter/step"),
        (SAGAS, {"action": "skip", "filter": PAYMENT}, "#/why"),
        (SAGAS, {"action": "cancel", "filter": {}, "why": " "}, "#/why"),
        (LETTERS, {"action": "discard", "filter": {}}, "#/why"),
        (LETTERS, {"action": "replay", "filter": {"tpoic": "x"}}, "#/filter"),
    ],
)
def test_an_invalid_bulk_action_is_refused_with_the_field(operator, stuck, path, body, pointer):
    """Nothing is changed: a misspelt filter does not match everything."""
    before = len(stuck.records())
    response = operator.post(path, json=body)

    assert 422 == response.status_code
    assert [pointer] == [each["pointer"] for each in response.json()["errors"]]
    assert before == len(stuck.records())


@pytest.mark.parametrize("path", [SAGAS, LETTERS])
def test_a_reader_may_not_use_bulk_actions(stuck, tmp_path, path):
    """Not even a dry run."""
    with serving(stuck.settings, token="os_read", tokens=tokens_file(tmp_path)) as reader:
        response = ask(reader, path, "resume", {}, dryRun=True)

    assert 403 == response.status_code


def test_dead_letters_are_replayed_and_discarded_by_filter(operator, stuck):
    """After a dry run; each with operator and reason; resolved ones are not changed."""
    for text in (b"one", b"two"):
        stuck.put_raw("order-events", text)
    stuck.put_raw("payment-events", b"three")
    dry = ask(operator, LETTERS, "replay", {"topic": "order-events"}, dryRun=True)
    first = ask(operator, LETTERS, "discard", {"topic": "order-events", "limit": 1}, why="a test")
    second = ask(operator, LETTERS, "replay", {"error": "JSON"})
    third = ask(operator, LETTERS, "replay", {"error": "no such error"})
    listed = operator.get("/api/v1/dead-letters?all=true").json()["deadLetters"]

    one, two, three = (letter["number"] for letter in listed[:3])
    assert (200, [one, two]) == (dry.status_code, dry.json()["deadLetters"])
    assert (202, [one], True) == (
        first.status_code, first.json()["deadLetters"], first.json()["more"],
    )  # fmt: skip
    assert ([two, three], False) == (second.json()["deadLetters"], second.json()["more"])
    assert 0 == third.json()["count"]
    assert [
        ("discarded", "shop", "a test"),
        ("replayed", "shop", ""),
        ("replayed", "shop", ""),
    ] == [(letter["action"], letter["by"], letter["why"]) for letter in listed[:3]]


def test_sagas_that_need_attention_are_grouped(operator, stuck):
    """By definition, step, failure code and cause: each group is the filter of an action."""
    [group] = operator.get("/api/v1/sagas/groups").json()["groups"]
    cause = "refund, outcome unknown: the provider gave no answer"
    which = {name: group[name] for name in ("saga", "step", "code", "cause")}
    listed = ask(operator, "/api/v1/sagas/actions", "retry", which, dryRun=True).json()

    nothing = ask(operator, "/api/v1/sagas/actions", "retry", {**which, "cause": "x"}, dryRun=True)

    assert {
        "saga": "place-order", "step": "process payment", "code": "out_of_stock", "cause": cause,
    } == which  # fmt: skip
    assert 0 == nothing.json()["count"]
    found = [
        operator.get("/api/v1/sagas", params={"cause": wanted}).json()["sagas"]
        for wanted in ("", cause, "x")
    ]
    assert [4, 3, 0] == [len(each) for each in found]
    assert [None, *[cause] * 3] == [saga["cause"] for saga in found[0]]
    exported = operator.get("/api/v1/exports/sagas", params={"cause": cause, "format": "jsonl"})
    assert 3 == len(exported.text.splitlines())
    assert group["count"] == listed["count"] == 3
    assert group["oldest"] == operator.get("/api/v1/sagas/place-order/A").json()["startedAt"]
