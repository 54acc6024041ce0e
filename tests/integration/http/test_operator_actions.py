"""The log of operators' actions over HTTP: who, when, why, and the outcome."""

import pytest

from order_sagas.actors.sagas.definition import hours
from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import serving, tokens_file

ACTIONS = "/api/v1/operator-actions"
SAGAS = "/api/v1/sagas/actions"
LETTERS = "/api/v1/dead-letters/actions"


@pytest.fixture
def stuck(tmp_path, refunds_later):
    """Orders A, B and C, whose payments cannot be refunded, and two dead letters of one kind."""
    with EmbeddedSystem(tmp_path, gateway=refunds_later) as system:
        system.put(an_order("A"), an_order("B"), an_order("C"))
        system.put_raw("order-events", b'{"orderId": "X", "status": "NO_SUCH_1"}')
        system.put_raw("order-events", b'{"orderId": "Y", "status": "NO_SUCH_22"}')
        system.put_raw("payment-events", b"no JSON")
        system.advance(hours(5))
        yield system


@pytest.fixture
def local(stuck):
    """A client without a token, where none is needed."""
    with serving(stuck.settings) as client:
        yield client


def listed(client, *names, **which):
    """These fields of the actions, the oldest first."""
    found = client.get(ACTIONS, params=which).json()["actions"]
    return [tuple(each[name] for name in names) for each in reversed(found)]


def test_the_response_to_an_action_links_to_its_result(operator, stuck, refunds_later):
    """Each saga has its result, and the progress counts them by outcome."""
    refunds_later.answers.set()
    body = {"action": "resume", "filter": {}, "why": "the provider is back"}
    answer = operator.post(SAGAS, json=body).json()
    where = f"{ACTIONS}/requests/{answer['request']}"
    before = operator.get(where).json()
    stuck.run()

    assert {"asked": 3} == before["outcomes"]
    assert {
        "request": answer["request"], "count": 3, "outcomes": {"done": 3}, "refused": {},
        "sagas": {"CANCELLED": 3},
    } == operator.get(where).json()  # fmt: skip
    assert [("CANCELLED",)] * 3 == listed(operator, "status", request=answer["request"])
    assert [
        ("shop", "api", "resume", f"place-order/{order_id}", "the provider is back", "done")
        for order_id in "ABC"
    ] == listed(
        operator, "by", "via", "action", "target", "why", "outcome", request=answer["request"]
    )
    assert 404 == operator.get(f"{ACTIONS}/requests/none").status_code


def test_what_a_retry_did_not_help_is_still_stuck(operator, stuck):
    """What a saga refuses is counted by the reason; dead letters and services have no status."""
    body = {"action": "resume", "filter": {}, "why": "perhaps"}
    both = [operator.post(SAGAS, json=body).json()["request"] for _ in range(2)]
    stuck.run()
    stuck.advance(hours(5))
    operator.post(LETTERS, json={"action": "replay", "filter": {"topic": "payment-events"}})
    first, second = (operator.get(f"{ACTIONS}/requests/{each}").json() for each in both)

    assert ({"done": 3}, {"NEEDS_ATTENTION": 3}) == (first["outcomes"], first["sagas"])
    assert ({"refused": 3}, {"no step is stuck": 3}, {}) == (
        second["outcomes"], second["refused"], second["sagas"],
    )  # fmt: skip
    assert [("replay", None)] == listed(operator, "action", "status", action="replay")


def test_a_request_is_continued_in_parts(operator, stuck):
    """Each part names its sagas; the request of another operator cannot be continued."""
    first = {"action": "resume", "filter": {"sagaIds": ["place-order/A", "place-order/C"]}}
    answer = operator.post(SAGAS, json=first).json()
    second = {"action": "resume", "filter": {"sagaIds": ["place-order/B"]}}
    operator.post(SAGAS, json={**second, "request": answer["request"]}).raise_for_status()
    stuck.run()

    assert ["place-order/A", "place-order/C"] == answer["sagaIds"]
    assert 3 == operator.get(f"{ACTIONS}/requests/{answer['request']}").json()["count"]


def test_without_tokens_the_operator_gives_a_name(local, stuck):
    """Percent-encoded in a header; actions of the page are marked as such."""
    named = {"X-Operator": "J%C3%BCrgen", "X-Client": "page"}
    body = {"step": "process payment", "why": "refunded by hand"}
    local.post("/api/v1/sagas/place-order/A/skip", json=body, headers=named).raise_for_status()
    local.post("/api/v1/sagas/place-order/B/skip", json=body).raise_for_status()
    stuck.run()

    assert [("Jürgen", "page"), ("local", "api")] == listed(local, "by", "via")
    assert "skip by Jürgen: refunded by hand" in [e.note for e in stuck.saga("A").history]
    for wrong in ("%00", "%20", "x" * 201, "%FF"):
        answer = local.post(
            "/api/v1/sagas/place-order/C/skip", json=body, headers={"X-Operator": wrong}
        )
        assert 422 == answer.status_code
        assert "X-Operator" == answer.json()["errors"][0]["parameter"]


def test_with_tokens_the_name_of_the_token_is_logged(operator, stuck):
    """A header with another name is ignored."""
    operator.post(
        "/api/v1/sagas/place-order/A/resume", json={}, headers={"X-Operator": "eve"}
    ).raise_for_status()

    assert [("shop",)] == listed(operator, "by")


def test_letters_and_pauses_are_in_the_log_too(operator, stuck):
    """Each with its number or its name."""
    number = operator.get("/api/v1/dead-letters").json()["deadLetters"][0]["number"]
    operator.post(f"/api/v1/dead-letters/{number}/discard", json={"why": "a test"})
    pause = operator.post("/api/v1/services/stock/pause", json={"why": "counting"}).json()

    assert [
        ("discard", "dead-letter", str(number), "done"), ("pause", "service", "stock", "done"),
    ] == listed(operator, "action", "kind", "target", "outcome")  # fmt: skip
    assert [("stock",)] == listed(operator, "target", request=pause["request"])
    assert [("stock",)] == listed(operator, "target", action="pause", by="shop", outcome="done")


def test_pages_of_the_log_and_wrong_parameters(operator, stuck):
    """The newest first; a parameter that is misspelt is named."""
    operator.post(SAGAS, json={"action": "resume", "filter": {}}).raise_for_status()
    first = operator.get(ACTIONS, params={"limit": 2}).json()
    second = operator.get(ACTIONS, params={"limit": 2, "after": first["next"]}).json()

    targets = [each["target"] for each in (*first["actions"], *second["actions"])]
    assert ["place-order/C", "place-order/B", "place-order/A"] == targets
    assert second["next"] is None
    assert 422 == operator.get(ACTIONS, params={"outcome": "lost"}).status_code
    assert 422 == operator.get(ACTIONS, params={"who": "x"}).status_code


def test_dead_letters_are_grouped(operator, stuck):
    """By topic and kind of error; each group is the filter of an action."""
    groups = operator.get("/api/v1/dead-letters/groups").json()
    first, second = groups["groups"]
    which = {name: first[name] for name in ("topic", "kind")}
    body = {"action": "discard", "filter": which, "why": "a test"}
    done = operator.post(LETTERS, json=body).json()
    left = operator.get("/api/v1/dead-letters/groups").json()["groups"]

    assert not groups["more"]
    assert ("order-events", 2) == (first["topic"], first["count"])
    assert first["kind"].startswith("unknown status …; known:")
    assert "NO_SUCH_1" in first["example"]
    assert ("payment-events", 1) == (second["topic"], second["count"])
    assert 2 == done["count"]
    assert [second] == left


def test_retried_steps_are_grouped_before_they_are_stuck(tmp_path, refunds_later):
    """With the cause and the next attempt; each group is the filter of an action."""
    with EmbeddedSystem(tmp_path, gateway=refunds_later) as system:
        system.put(an_order("A"), an_order("B"))
        with serving(system.settings) as client:
            before = client.get("/api/v1/sagas/retrying").json()
            system.advance(45)
            [group] = client.get("/api/v1/sagas/retrying").json()["groups"]
            which = {"retrying": True, "step": "process payment"}
            found = client.post(SAGAS, json={
                "action": "cancel", "filter": which, "why": "x", "dryRun": True,
            }).json()  # fmt: skip
            chosen = client.post(SAGAS, json={
                "action": "resume", "filter": {"retrying": True, "step": "reserve stock"},
                "dryRun": True,
            }).json()  # fmt: skip

    assert {"groups": [], "more": False} == before
    assert ("place-order", "process payment", True, "no answer") == (
        group["saga"], group["step"], group["undo"], group["cause"],
    )  # fmt: skip
    assert (2, 2) == (group["count"], group["attempt"])
    assert group["nextAt"] > group["oldest"]
    assert {"it is being compensated already": 2} == found["refused"]
    assert (0, {}) == (chosen["count"], chosen["refused"])


def test_a_reader_sees_the_log_and_may_not_approve(stuck, tmp_path):
    """Approving needs the role of an operator."""
    with serving(stuck.settings, token="os_read", tokens=tokens_file(tmp_path)) as reader:
        assert 200 == reader.get(ACTIONS).status_code
        assert 403 == reader.post(f"{ACTIONS}/approve", json={"numbers": [1]}).status_code
        assert 403 == reader.post(f"{ACTIONS}/reject", json={"numbers": [1]}).status_code
