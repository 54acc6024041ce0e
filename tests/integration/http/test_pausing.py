"""Letting a service rest over HTTP."""

import pytest

from tests.support.embedded import EmbeddedSystem, an_order
from tests.support.http_service import serving, tokens_file

PAYMENTS = "/api/v1/services/payments"


@pytest.fixture
def system(tmp_path):
    """A system with goods."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        yield system


@pytest.fixture
def operator(system, tmp_path):
    """A client with the token of `shop`."""
    with serving(system.settings, token="os_operate", tokens=tokens_file(tmp_path)) as client:
        yield client


def test_a_service_rests_until_it_is_told_to_go_on(operator, system):
    """What is sent to it is kept meanwhile, and handled afterwards."""
    paused = operator.post(f"{PAYMENTS}/pause", json={"why": "the provider moves"})
    system.run()
    system.put(an_order("A"))
    before = system.status("A")
    ended = operator.post(f"{PAYMENTS}/unpause", json={})
    system.run()
    system.advance(5)

    assert (202, 202) == (paused.status_code, ended.status_code)
    assert ("pause", "shop", "payments") == (
        paused.json()["asked"], paused.json()["by"], paused.json()["service"],
    )  # fmt: skip
    assert ("RUNNING", "COMPLETED") == (before, system.status("A"))


def test_what_cannot_be_paused_is_said(operator):
    """No reason, no such service, and what is so already."""
    answers = [
        operator.post(f"{PAYMENTS}/pause", json={}),
        operator.post("/api/v1/services/none/pause", json={"why": "a test"}),
        operator.post(f"{PAYMENTS}/unpause", json={}),
    ]

    assert [422, 404, 409] == [answer.status_code for answer in answers]
    assert "payments is not paused" in answers[2].json()["detail"]


def test_a_pause_is_for_operators(system, tmp_path):
    """A token that may only read pauses nothing."""
    with serving(system.settings, token="os_read", tokens=tokens_file(tmp_path)) as reader:
        assert 403 == reader.post(f"{PAYMENTS}/pause", json={"why": "a test"}).status_code
