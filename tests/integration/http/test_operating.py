"""Actions of an operator over HTTP on stuck sagas and on dead letters."""

import pytest

from order_sagas.actors.sagas.definition import hours
from tests.support.embedded import EmbeddedSystem, an_order

SAGA = "/api/v1/sagas/place-order%2FA"
LETTERS = "/api/v1/dead-letters"


@pytest.fixture
def stuck(tmp_path, refunds_later):
    """A system with order A, whose payment cannot be refunded, and an unreadable record."""
    with EmbeddedSystem(tmp_path, gateway=refunds_later) as system:
        system.put(an_order("A"))
        system.advance(hours(5))
        system.put_raw("order-events", b"oops")
        yield system


def test_a_saga_that_needs_attention_is_reported(operator):
    """In the list and in the metrics; a request that waits for its end returns."""
    listed = operator.get("/api/v1/sagas?status=NEEDS_ATTENTION").json()["sagas"]
    waited = operator.get("/api/v1/orders/A?wait=60").json()

    assert ["place-order/A"] == [saga["sagaId"] for saga in listed]
    assert "NEEDS_ATTENTION" == waited["sagaStatus"]
    assert "order_sagas_sagas_needing_attention 1.0" in operator.get("/metrics").text


def test_a_stuck_step_is_retried(operator, stuck, refunds_later):
    """The saga's history has the name of the token."""
    refunds_later.answers.set()
    response = operator.post(f"{SAGA}/retry", json={"step": "process payment"})
    stuck.run()

    assert 202 == response.status_code
    assert ("retry", "shop", "place-order/A") == (
        response.json()["action"], response.json()["by"], response.json()["sagaId"],
    )  # fmt: skip
    assert "CANCELLED" == stuck.status("A")
    assert any("retry by shop" in entry.note for entry in stuck.saga("A").history)


def test_a_stuck_step_is_skipped_with_a_reason(operator, stuck):
    """The reason is in the saga's history too."""
    wish = {"step": "process payment", "why": "refunded by hand"}
    response = operator.post(f"{SAGA}/skip", json=wish)
    stuck.run()

    assert 202 == response.status_code
    assert "CANCELLED" == stuck.status("A")
    assert any("refunded by hand" in entry.note for entry in stuck.saga("A").history)


def test_all_stuck_steps_are_resumed(operator, stuck, refunds_later):
    """Without a body, and by the order id."""
    refunds_later.answers.set()
    response = operator.post("/api/v1/sagas/A/resume", headers={"Content-Type": "application/json"})
    stuck.run()

    assert 202 == response.status_code
    assert "CANCELLED" == stuck.status("A")


@pytest.mark.parametrize(
    ("action", "wish", "status", "pointer"),
    [
        ("retry", {}, 422, "#/step"),
        ("retry", {"step": "no such step"}, 422, "#/step"),
        ("retry", {"step": "reserve stock"}, 409, None),
        ("skip", {"step": "process payment"}, 422, "#/why"),
        ("cancel", {}, 422, "#/why"),
        ("cancel", {"why": "again"}, 409, None),
        ("cancel", {"why": 7}, 422, "#/why"),
        ("resume", [], 422, "#"),
    ],
)
def test_an_invalid_action_is_refused(operator, stuck, action, wish, status, pointer):
    """With the invalid field, or with the reason."""
    before = len(stuck.records())
    response = operator.post(f"{SAGA}/{action}", json=wish)

    assert status == response.status_code
    assert pointer == response.json().get("errors", [{}])[0].get("pointer")
    assert before == len(stuck.records())


def test_an_action_on_an_unknown_saga_or_letter_is_404(operator):
    """Nothing is written to the log."""
    saga = operator.post("/api/v1/sagas/nobody/resume", json={})
    letter = operator.post(f"{LETTERS}/999/replay", json={})
    strange = operator.post(f"{LETTERS}/{'9' * 5000}/replay", json={})

    assert (404, 404, 404) == (saga.status_code, letter.status_code, strange.status_code)


def test_dead_letters_are_listed_replayed_and_discarded(operator, stuck):
    """Each once, unless requested again; each action with who did it."""
    [letter] = operator.get(LETTERS).json()["deadLetters"]
    path = f"{LETTERS}/{letter['number']}"
    one = operator.get(path).json()
    unexplained = operator.post(f"{path}/discard", json={})
    discarded = operator.post(f"{path}/discard", json={"why": "a test"})
    twice = operator.post(f"{path}/replay", json={})
    left = operator.get(LETTERS).json()["deadLetters"]
    seen = operator.get(f"{LETTERS}?all=true").json()["deadLetters"]
    replayed = operator.post(f"{path}/replay", json={"again": True})

    assert letter == one
    assert ("order-events", "oops") == (letter["topic"], letter["value"])
    assert [422, 202, 409, 202] == [
        response.status_code for response in (unexplained, discarded, twice, replayed)
    ]
    assert [] == left
    assert [("discarded", "shop", "a test")] == [(s["action"], s["by"], s["why"]) for s in seen]
    query = "SELECT count(*) FROM log WHERE topic = 'order-events' AND value = ?"
    assert [(2,)] == list(stuck.log.db.rows(query, (b"oops",)))


def test_dead_letters_come_page_by_page(operator, stuck):
    """The oldest first."""
    for number in range(3):
        stuck.put_raw("order-events", b"oops %d" % number)
    first = operator.get(f"{LETTERS}?limit=3").json()
    second = operator.get(LETTERS, params={"limit": 3, "after": first["next"]}).json()

    assert ["oops", "oops 0", "oops 1", "oops 2"] == [
        each["value"] for each in first["deadLetters"] + second["deadLetters"]
    ]
    assert second["next"] is None
