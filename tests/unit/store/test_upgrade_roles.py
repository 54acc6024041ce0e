"""Migration of a database in which each set of roles had its own offsets."""

import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from order_sagas.bridges.storage.connection import connect
from order_sagas.bridges.storage.migrations import version_5
from order_sagas.bridges.storage.preparation import migrate
from tests.support.role_starts import RoleStarts

DUMP = Path(__file__).parent / "sets_of_roles.sql"
"""All roles completed `full-1` and `full-2`. Then all but payment ran: they read the log from its
beginning, began `part-1`, and passed over a PROCESS_PAYMENT of `outside-1`. `unread-1` waits."""

FULL, PART, UNREAD = "full-2", "part-1", "unread-1"


@pytest.fixture(params=[version_5.CHUNK, 1], ids=["at once", "one by one"])
def starts(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[RoleStarts]:
    """On the database as it was, migrated, with so many records in memory."""
    monkeypatch.setattr(version_5, "CHUNK", request.param)
    file = tmp_path / "orders.db"
    with closing(sqlite3.connect(file)) as db:
        db.executescript(DUMP.read_text())
    with closing(connect(f"sqlite:///{file}")) as migrated:
        migrate(migrated)
    with RoleStarts(tmp_path, partitions=2) as starts:
        yield starts


def about(starts: RoleStarts, order_id: str) -> Counter[str]:
    """The number of records about an order that each receiver has handled."""
    found: Counter[str] = Counter()
    for (who, name), times in starts.handled.counts.items():
        text = name.decode() if isinstance(name, bytes) else name
        if f"/{order_id}/" in text or f'"{order_id}"' in text:
            found[who] += times
    return found


def test_records_handled_by_all_roles_are_not_handled_again(starts: RoleStarts) -> None:
    """Nor what the roles did that ran last; a dead letter is not made once more."""
    letters = starts.letters()
    starts.start()
    starts.advance(1)

    assert Counter() == about(starts, "full-1") + about(starts, FULL) + about(starts, PART)
    assert letters == starts.letters()
    assert {} == starts.waiting()
    assert {} == starts.handled.repeated


def test_records_read_only_by_other_roles_are_handled(
    starts: RoleStarts,
) -> None:
    """The command from outside; and what nobody had read, by all. The lost command is retried."""
    starts.start(("payment",))
    outside = about(starts, "outside-1")
    starts.start()
    starts.advance(120)

    assert Counter(payments=1) == outside
    assert ["COMPLETED"] * 4 == [
        starts.first.status(order_id) for order_id in ("full-1", FULL, PART, UNREAD)
    ]
    assert {} == starts.handled.repeated
    assert [] == starts.first.violations()


def test_the_migration_runs_once(starts: RoleStarts) -> None:
    """A later start uses the new offsets."""
    starts.start()
    once = starts.rows("SELECT * FROM offsets WHERE topic <> '#epochs' ORDER BY 1, 2, 3")
    starts.start()

    assert once == starts.rows("SELECT * FROM offsets WHERE topic <> '#epochs' ORDER BY 1, 2, 3")
    assert {"order-sagas"} == {row[2] for row in once}
