"""Replies that come before their saga has begun, or before their step was sent."""

import json

import pytest

from order_sagas.actors.messages import (
    CancelSaga,
    PaymentCompleted,
    PaymentRolledBack,
    StockReserved,
)
from order_sagas.system.bootstrap import open_store
from order_sagas.system.order_app import APP
from tests.support.embedded import EmbeddedSystem, an_order

DAY = 86400.0
PAID = PaymentCompleted(order_id="A", amount=300, currency="EUR")
HELD = StockReserved(order_id="A")
ELSEWHERE = ("payments", "stock")
HERE = [each for each in APP.services if each.participant.name not in ELSEWHERE]
"""Without the services whose replies the tests send."""


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.postgres)])
def make(request, tmp_path):
    """Make a system with payments and stock elsewhere, in a database of each kind."""
    systems = []
    url = None
    if request.param == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))

    def make(**settings) -> EmbeddedSystem:
        system = EmbeddedSystem(tmp_path, services=HERE, database=url, settings=settings)
        systems.append(system)
        system.start()
        return system

    yield make
    for system in systems:
        system.__exit__()


@pytest.fixture
def system(make) -> EmbeddedSystem:
    made: EmbeddedSystem = make()
    return made


def kept(system: EmbeddedSystem) -> list[str]:
    """The orders for which replies are kept."""
    rows = system.store.db.rows("SELECT order_id FROM early_replies ORDER BY order_id", ())
    return [order_id for (order_id,) in rows]


def letters(system: EmbeddedSystem) -> list[str]:
    """The errors of the dead letters."""
    lines = [json.loads(line) for line in system.logged.lines]
    return [line["error"] for line in lines if line["event"] == "record.dead_lettered"]


def test_replies_before_the_start_are_delivered_later(system) -> None:
    system.put(HELD)
    system.put(PAID)
    assert ["A", "A"] == kept(system)
    system.restart()

    system.put(an_order("A"))

    assert ("COMPLETED", []) == (system.status("A"), kept(system))
    assert [
        "started", "step_completed", "step_completed", "completed",
    ] == [event.split(" ")[0] for event in system.history("A")]  # fmt: skip
    assert [] == letters(system)


def test_a_reply_that_overtakes_its_step_is_delivered_when_the_step_is_sent(system) -> None:
    system.put(an_order("A"))
    system.put(HELD)
    assert ("RUNNING", ["A"]) == (system.status("A"), kept(system))

    system.put(PAID)

    assert ("COMPLETED", []) == (system.status("A"), kept(system))


def test_early_replies_in_one_batch_in_the_wrong_order(system) -> None:
    system.put(HELD, PAID, an_order("A"))

    assert ("COMPLETED", []) == (system.status("A"), kept(system))


def test_a_record_that_comes_twice_is_kept_once(system) -> None:
    system.put(PAID, PAID)
    system.put(PAID)

    assert ["A"] == kept(system)


def test_a_reply_whose_saga_ends_without_its_step_is_a_dead_letter(system) -> None:
    system.put(an_order("A"))
    system.put(HELD)
    system.put(CancelSaga(order_id="A", why="test"))
    system.put(PaymentRolledBack(order_id="A"))

    assert ("CANCELLED", []) == (system.status("A"), kept(system))
    assert [
        "a reply to 'reserve stock' that came too early, and the saga never sent that step"
    ] == letters(system)


def test_a_reply_that_is_kept_for_too_long_is_a_dead_letter(make) -> None:
    """The time counts over restarts."""
    system = make(keep_early_replies=DAY)
    system.put(PAID)
    system.advance(DAY / 2)
    system.restart()
    system.put(PaymentCompleted(order_id="B"))
    system.advance(DAY / 2 + 2)

    assert ["B"] == kept(system)
    assert ["a reply that came too early and was kept for 86400 s"] == letters(system)
    system.put(an_order("A"))
    assert "RUNNING" == system.status("A")


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"most_early_replies": 1}, "and 1 early replies are kept already"),
        ({"keep_early_replies": 0.0}, "and early replies are not kept"),
    ],
)
def test_without_keeping_an_early_reply_is_a_dead_letter_at_once(make, settings, reason) -> None:
    system = make(**settings)
    system.put(PAID)
    system.put(PaymentCompleted(order_id="B"))

    assert f"no saga of this order has begun, {reason}" == letters(system)[-1]
    assert settings.get("most_early_replies", 0) == len(kept(system))


def test_a_reply_for_a_saga_that_has_ended_is_not_early(system) -> None:
    system.put(an_order("A"), PAID, HELD)
    system.put(PAID)

    assert ([], []) == (kept(system), letters(system))
    assert "the saga has ended" == json.loads(system.logged.lines[-1])["reason"]


def test_a_rollback_loses_and_repeats_no_early_reply(system) -> None:
    """Another worker claims the shards in between."""
    system.put(PAID)
    other = open_store(system.settings, system.parts.registry, HERE)
    other.claim(["log"], [0, 1, 2, 3])
    other.close()

    system.put(an_order("A"), HELD)
    system.advance(30)

    assert ("COMPLETED", []) == (system.status("A"), kept(system))
