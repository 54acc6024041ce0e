"""A database that was made before something was added to the schema gets it when it is opened."""

import sqlite3
from contextlib import closing

import pytest

from order_sagas.bridges.intake.intake import Intake, Verdict
from tests.support.embedded import EmbeddedSystem, an_order

FORMER = """
DROP TABLE idempotency_keys;
CREATE TABLE idempotency_keys (key TEXT NOT NULL, order_id TEXT NOT NULL, PRIMARY KEY (key));
INSERT INTO idempotency_keys VALUES ('k', 'o-1');
DROP INDEX log_letters;
"""


@pytest.fixture
def file(tmp_path):
    """A database as it was made before keys had a date, and dead letters an index."""
    with EmbeddedSystem(tmp_path) as system:
        system.load({"PEN": 10})
        Intake(system.log, system.clock).take([an_order("o-1")])
    file = tmp_path / "orders.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(FORMER)
    return file


def schema(file) -> dict[str, str]:
    """How each table and each index was made, by name."""
    with closing(sqlite3.connect(file)) as db:
        return dict(db.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def test_what_it_lacks_is_added_and_what_it_holds_is_kept(file, tmp_path) -> None:
    """Its keys are known, and new ones have a date."""
    with EmbeddedSystem(tmp_path) as system:
        orders = [an_order("o-2"), an_order("o-3")]
        verdicts = Intake(system.log, system.clock).take(orders, ["k", "l"])
        system.run()
        dates: dict[str, float | None] = dict(
            system.store.db.rows("SELECT key, used_at FROM idempotency_keys", ())
        )

        assert [Verdict.KEY_REUSED, Verdict.ACCEPTED] == verdicts
        assert {"k": None, "l": system.clock.now()} == dates
        assert "COMPLETED" == system.status("o-3")
    assert {"log_letters", "idempotency_keys_by_age"} <= schema(file).keys()


def test_a_process_of_before_goes_on_beside_it(file, tmp_path) -> None:
    """It knows nothing of what was added."""
    with EmbeddedSystem(tmp_path), closing(sqlite3.connect(file)) as db:
        db.execute("INSERT INTO idempotency_keys (key, order_id) VALUES ('m', 'o-9')")
        db.commit()
        (found,) = db.execute("SELECT used_at FROM idempotency_keys WHERE key = 'm'")

    assert (None,) == found


def test_it_is_upgraded_once(file, tmp_path) -> None:
    """Whoever opens it next changes nothing."""
    with EmbeddedSystem(tmp_path):
        once = schema(file)
    with EmbeddedSystem(tmp_path):
        twice = schema(file)

    assert once == twice
