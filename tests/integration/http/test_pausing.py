"""Pausing a service over HTTP."""

import pytest

from order_sagas.bridges.http.api.read_model import ReadModel
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


def test_a_paused_service_handles_its_messages_after_the_pause(operator, system):
    """Messages to it are deferred meanwhile, and handled afterwards."""
    paused = operator.post(f"{PAYMENTS}/pause", json={"why": "the provider moves"})
    system.run()
    system.put(an_order("A"))
    before = system.status("A")
    ended = operator.post(f"{PAYMENTS}/unpause", json={})
    system.run()
    system.advance(5)

    assert (202, 202) == (paused.status_code, ended.status_code)
    assert ("pause", "shop", "payments") == (
        paused.json()["action"], paused.json()["by"], paused.json()["service"],
    )  # fmt: skip
    assert ("RUNNING", "COMPLETED") == (before, system.status("A"))


def test_an_invalid_pause_is_refused(operator):
    """Without a reason, of an unknown service, and of a paused one."""
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


def test_sagas_of_a_paused_service_are_not_overdue(operator, system):
    """They time out only after the pause."""
    operator.post(f"{PAYMENTS}/pause", json={"why": "the provider moves"})
    system.run()
    system.put(an_order("A"))  # by the clock of the reader, its deadline passed long ago
    reader = ReadModel(system.settings.database, system.parts.registry)
    during = reader.snapshot()
    operator.post(f"{PAYMENTS}/unpause", json={})
    after = reader.snapshot()
    reader.close()

    assert (0, 1, None) == (during.overdue, during.paused_overdue, during.oldest_deadline)
    assert ["payments"] == [saga.paused for saga in during.oldest_deadlines]
    assert (1, 0) == (after.overdue, after.paused_overdue)
    assert [None] == [saga.paused for saga in after.oldest_deadlines]
