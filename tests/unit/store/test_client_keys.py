"""Old idempotency keys are deleted, a few at a time."""

import pytest

from order_sagas.bridges.intake.intake import Intake, Verdict
from order_sagas.bridges.processor.pruner import SHORTEST_PAUSE, Pruner
from order_sagas.bridges.storage.idempotency_key_retention import CHUNK, KeyRound
from order_sagas.system.harness import hours
from tests.support.embedded import BEGAN, EmbeddedSystem, an_order

DAY = hours(24)


@pytest.fixture
def system(tmp_path):
    """A system that keeps keys for a day."""
    with EmbeddedSystem(tmp_path, settings={"keep_idempotency_keys": DAY}) as system:
        yield system


def submit(system, order_id: str, key: str) -> Verdict:
    """Submit an order with this key now; return the verdict."""
    (verdict,) = Intake(system.log, system.clock).take([an_order(order_id)], [key])
    return verdict


def keys(system) -> list[str]:
    """The stored keys."""
    return [key for (key,) in system.store.db.rows("SELECT key FROM idempotency_keys", ())]


def test_a_key_is_deleted_some_time_after_its_first_use(system) -> None:
    """Then it can be used for another order."""
    assert Verdict.ACCEPTED is submit(system, "o-1", "k")
    system.advance(DAY - 60)
    assert Verdict.KEY_REUSED is submit(system, "o-2", "k")
    submit(system, "o-3", "young")
    system.advance(DAY / 10)

    assert ["young"] == keys(system)
    assert Verdict.ACCEPTED is submit(system, "o-2", "k")


def test_keys_are_kept_for_seven_days_by_default(tmp_path) -> None:
    """Or for ever, by the setting."""
    (tmp_path / "ever").mkdir()
    ever = {"keep_idempotency_keys": None}
    with (
        EmbeddedSystem(tmp_path) as usual,
        EmbeddedSystem(tmp_path / "ever", settings=ever) as for_ever,
    ):
        for system in (usual, for_ever):
            submit(system, "o-1", "k")
        usual.advance(6 * DAY)
        assert ["k"] == keys(usual)
        for system in (usual, for_ever):
            system.advance(8 * DAY)

        assert ([], ["k"]) == (keys(usual), keys(for_ever))


def test_only_the_owner_of_one_shard_deletes_them(system) -> None:
    """They belong to no shard, and two workers that delete the same ones would block each other."""
    pruner = Pruner(system.store, system.clock, None, 0.0)
    submit(system, "o-1", "k")
    system.clock.advance(2 * SHORTEST_PAUSE)
    pruner.work({1: 1, 2: 1})
    others = keys(system)
    system.clock.advance(2 * SHORTEST_PAUSE)
    pruner.work({0: 1})

    assert ["k"] == others
    assert [] == keys(system)


def test_many_are_deleted_a_few_at_a_time_oldest_first(system) -> None:
    """In short transactions."""
    count = 2 * CHUNK + 1
    with system.store.db.transaction() as cursor:
        cursor.executemany(
            "INSERT INTO idempotency_keys (key, order_id, used_at) VALUES (?, ?, ?)",
            [(f"k-{n}", "o", BEGAN + n) for n in range(count + 1)],
        )
    forgetting = KeyRound(system.store, BEGAN + count, BEGAN + count)
    left = []
    while not forgetting.done:
        forgetting.step()
        left.append(len(keys(system)))

    assert [count + 1 - CHUNK, count + 1 - 2 * CHUNK, 1] == left
    assert count == forgetting.keys
    assert [f"k-{count}"] == keys(system)


def test_keys_without_a_date_count_from_when_they_are_first_seen(system) -> None:
    """As older databases have them."""
    with system.store.db.transaction() as cursor:
        cursor.executemany(
            "INSERT INTO idempotency_keys (key, order_id) VALUES (?, 'o')",
            [(f"k-{n}",) for n in range(CHUNK + 1)],
        )
    system.advance(DAY)
    assert CHUNK + 1 == len(keys(system))
    system.advance(DAY + hours(1))

    assert [] == keys(system)


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT key FROM idempotency_keys WHERE used_at IS NULL LIMIT 500",
        "SELECT key FROM idempotency_keys WHERE used_at < 1 ORDER BY used_at LIMIT 500",
    ],
)
def test_a_search_for_old_keys_uses_an_index(system, sql) -> None:
    """It does not read all keys."""
    plan = " ".join(row[-1] for row in system.store.db.rows(f"EXPLAIN QUERY PLAN {sql}", ()))

    assert "idempotency_keys_by_age" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan
