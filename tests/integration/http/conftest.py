"""Fixtures: the API on a database of the test's own, beside a system on virtual time."""

import threading
from collections.abc import Iterator

import attrs
import httpx
import pytest

from order_sagas.actors.services.payment_gateway import NoAnswer, Outcome, Refund
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from tests.support.embedded import EmbeddedSystem
from tests.support.http_service import serving, tokens_file


@attrs.frozen
class RefundsLater(SimulatedGateway):
    """A payment provider that approves charges, and answers refunds once `answers` is set."""

    answers: threading.Event = attrs.field(factory=threading.Event)

    def refund(self, refund: Refund) -> Outcome:
        return super().refund(refund) if self.answers.is_set() else NoAnswer()


@pytest.fixture
def system(tmp_path) -> Iterator[EmbeddedSystem]:
    """A system that is not started yet; its logs are captured."""
    system = EmbeddedSystem(tmp_path)
    system.capture_logs()
    yield system
    system.__exit__()


@pytest.fixture
def api(system) -> Iterator[httpx.Client]:
    """A client of the API on its database, without tokens."""
    with serving(system.settings) as client:
        yield client


@pytest.fixture
def refunds_later() -> RefundsLater:
    """A provider of the test's own; set `answers` to let it answer refunds."""
    return RefundsLater()


@pytest.fixture
def operator(stuck, tmp_path) -> Iterator[httpx.Client]:
    """A client of the API on the database of the test's `stuck` system, as an operator."""
    with serving(stuck.settings, token="os_operate", tokens=tokens_file(tmp_path)) as client:
        yield client
