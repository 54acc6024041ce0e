"""No query of an operator reads the whole history of orders, on SQLite or PostgreSQL.

On SQLite the steps of its virtual machine are counted, with a history of a thousand orders and with
ten times as many. On PostgreSQL the plans are read: none may scan a table that grows.
"""

import re
import sqlite3
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest
import sqlalchemy as sa

from order_sagas.actors.messages import RetryStep
from order_sagas.actors.place_order import PLACE_ORDER
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.operations.pauses import pauses_that_last
from order_sagas.bridges.operations.retrying import retrying_groups
from order_sagas.bridges.operations.selection import SagaFilter, choose
from order_sagas.bridges.operations.stuck import stuck_sagas
from order_sagas.bridges.storage import queries, search
from order_sagas.bridges.storage.deadlines import deadlines
from order_sagas.bridges.storage.keywords import BLOCK, keyword_number
from order_sagas.bridges.storage.lag import dead_letter_records, lag_of_topics
from order_sagas.bridges.storage.operator_action_queries import (
    ActionFilter,
    actions_page,
    results,
)
from order_sagas.bridges.storage.order_records import records_around
from order_sagas.bridges.storage.outbox_table import SUBMITTED
from order_sagas.bridges.storage.reading import check_readable, one_moment, reading, reading_engine
from order_sagas.bridges.storage.search import Search, search_orders, search_sagas
from order_sagas.bridges.storage.store import Store
from order_sagas.bridges.storage.waiting_orders import CHUNK, MarkRound
from order_sagas.system.order_app import APP

PARTITIONS = 4
RECENT = 30
"""Number of orders in flight, and of waiting ones, independent of the history."""

HISTORY = (
    "INSERT INTO order_keys (no, order_id, shard, fingerprint) SELECT n, 'h-' || n, n % 4, 'f' "
    "FROM numbers",
    "INSERT INTO orders SELECT n, 'h-' || n, CASE WHEN n % 5 = 0 THEN 'CANCELLED' ELSE 'COMPLETED' "
    "END, 'c', 'EUR', 1, 'main', '[]', '', '', 1, 1 FROM numbers WHERE n % 2 = 0",
    "INSERT INTO sagas SELECT n, 'place-order', 'h-' || n, n % 4, 1, CASE WHEN n % 5 = 0 THEN "
    "'CANCELLED' ELSE 'COMPLETED' END, '', NULL, '', '', 1, 1, 2, '{state}', 0 FROM numbers "
    "WHERE n % 2 = 0",
    "INSERT INTO reservations SELECT n, 'h-' || n, 'HELD', 'main', "
    "'[{{\"sku\":\"PEN\",\"quantity\":1}}]', '', '', 1 FROM numbers WHERE n % 2 = 0",
    "INSERT INTO payments SELECT n, 'h-' || n, 'COMPLETED', 1, 'EUR', 'c', '', 1, 0, '', '', '', 1 "
    "FROM numbers WHERE n % 2 = 0",
    "INSERT INTO notifications SELECT n, 'h-' || n, 'SENT', 'completed', 'c', '', '', 1, 1, '', 1 "
    "FROM numbers WHERE n % 2 = 0",
    f"INSERT INTO order_keywords SELECT DISTINCT n / {BLOCK}, {keyword_number('PEN')}, 0 "
    "FROM numbers",
    "INSERT INTO pruned SELECT n, 'COMPLETED', '', 1, 1 FROM numbers WHERE n % 2 = 1",
    "INSERT INTO log (topic, partition, key, value, handled, appended_at) SELECT 'order-events', "
    "n % 4, NULL, NULL, n % 2, 1 FROM numbers",
    "INSERT INTO log (topic, partition, key, value, handled, appended_at, role) SELECT "
    "'stock-events', n % 4, NULL, NULL, 3, 1, 'stock' FROM numbers",
)
"""The history: ended orders, half of them pruned, every fifth cancelled, all handled long ago."""
LATELY = (
    "INSERT INTO order_keys (no, order_id, shard, fingerprint) SELECT n, 'r-' || n, n % 4, 'f' "
    "FROM numbers",
    "INSERT INTO orders SELECT n, 'r-' || n, 'CREATED', 'r', 'EUR', 1, 'main', '[]', '', '', 1, 1 "
    "FROM numbers WHERE n % 2 = 0",
    "INSERT INTO sagas SELECT n, 'place-order', 'r-' || n, n % 4, 1, CASE WHEN n % 4 = 0 THEN "
    "'NEEDS_ATTENTION' ELSE 'RUNNING' END, 'process payment', n, '', '', 1, 1, NULL, '{state}', 0 "
    "FROM numbers WHERE n % 2 = 0",
)
STATE = (
    '{"format":2,"saga_id":"place-order/o","order_id":"o","saga":"place-order","version":1,'
    '"status":2,"stage":1,"steps":[{},{"phase":3},{},{},{}],"start":{},"started_at":1.0}'
)
INSERTED = {"sqlite": "randomblob(16)", "postgresql": "decode('00', 'hex')"}


@attrs.frozen
class Asked:
    """A query, and the tables of which it may read every row: none of them is of orders."""

    ask: Callable[[sa.Connection], Any]
    counts: bool = False
    """Whether it counts all orders, which takes an index of all of them."""
    windowed: bool = False
    """Whether it reads a window of orders, of a limited size."""


SEARCHES = {
    "amount": Search(amount_from=5, amount_to=7, currency="EUR"),
    "reason": Search(reason="x"),
    "code": Search(code="y"),
    "version": Search(version=3),
    "beginning": Search(prefix="r-1", sku="PEN"),
    "customer": Search(customer="r", statuses=("CREATED",)),
    "SKU": Search(sku="NONE"),
    "start": Search(started_to=-1e6),
    "end": Search(ended_from=3.0),
}
"""Queries that use an index."""
WINDOWS = {
    "SKU of many": Search(sku="PEN", currency="NONE"),
    "beginning of many": Search(prefix="h-", currency="NONE"),
    "amount of many": Search(amount_from=0, currency="NONE"),
    "end of many": Search(ended_from=0.0, currency="NONE"),
    "status of many": Search(statuses=("COMPLETED",), reason="NONE"),
}
"""Searches in windows."""
QUESTIONS = {
    "orders": Asked(lambda db: queries.orders(db, (), 20)),
    **{
        f"orders {status}": Asked(partial(queries.orders, statuses=(status,), limit=20))
        for status in queries.ORDER_STATUSES
    },
    "a page of orders": Asked(lambda db: queries.orders_page(db, ("COMPLETED",), 20, 700)),
    "orders that begin": Asked(lambda db: search_orders(db, Search(prefix="r-10"), 20)),
    **{
        f"orders by {name}": Asked(
            partial(search_orders, which=which, limit=20), windowed=name in WINDOWS
        )
        for name, which in (SEARCHES | WINDOWS).items()
    },
    "sagas of a customer": Asked(
        lambda db: search_sagas(db, Search(customer="r", statuses=("RUNNING",)), 20)
    ),
    "sagas by step and time": Asked(
        lambda db: search_sagas(
            db, Search(step="process payment", started_to=5.0, ended_from=3.0), 20
        )
    ),
    "sagas by end": Asked(lambda db: search_sagas(db, SEARCHES["end"], 20)),
    "steps that are retried": Asked(lambda db: retrying_groups(db, Registry([PLACE_ORDER]))),
    "messages of an order": Asked(lambda db: records_around(db, "h-10", ["h-10"], [1e6])),
    "operators' actions": Asked(lambda db: actions_page(db, ActionFilter(), 20)),
    "operators' actions on a saga": Asked(lambda db: actions_page(db, ActionFilter("", "x"), 20)),
    "a request's progress": Asked(lambda db: results(db, "x")),
    "sagas": Asked(lambda db: queries.sagas_of(db, (), 20)),
    **{
        f"sagas {status}": Asked(partial(queries.sagas_of, statuses=(status,), limit=20))
        for status in queries.SAGA_STATUSES
    },
    "a page of sagas": Asked(lambda db: queries.sagas_page(db, ("COMPLETED",), 20, (700, "x"))),
    "the oldest deadlines": Asked(lambda db: queries.oldest(db, 10)),
    "attention": Asked(lambda db: queries.needing_attention(db, 10)),
    "stuck": Asked(lambda db: list(stuck_sagas(db, Registry([PLACE_ORDER])))),
    "stuck of a page": Asked(
        lambda db: list(stuck_sagas(db, Registry([PLACE_ORDER]), ["h-10", "h-11"]))
    ),
    "how many need attention": Asked(queries.attention_count),
    "in flight": Asked(queries.in_flight),
    "deadlines": Asked(lambda db: deadlines(db, 1e9)),
    "deadlines while a service is paused": Asked(
        lambda db: deadlines(db, 1e9, lambda saga, step: step == "reserve stock")
    ),
    "an order": Asked(lambda db: queries.order(db, "h-10")),
    "stock": Asked(queries.stock),
    "stock of a SKU": Asked(lambda db: queries.stock(db, "PEN")),
    "records that wait": Asked(queries.waiting),
    "records that wait for roles": Asked(
        lambda db: queries.waiting_by_role(db, APP.topics_of_roles)
    ),
    "whether any waits": Asked(queries.all_handled),
    "loads that wait": Asked(queries.waiting_loads),
    "how far workers are": Asked(lambda db: queries.handled_up_to(db, "order-events", {0: 1}, "g")),
    "lag": Asked(lambda db: lag_of_topics(db, {("order-events", 0): 5}, "g", APP.topics_of_roles)),
    "dead letters": Asked(dead_letter_records),
    "pauses": Asked(pauses_that_last),
    "outcomes": Asked(lambda db: queries.outcomes(db, [10, 11, 12])),
    "sagas to retry": Asked(
        lambda db: choose(
            db, Registry([PLACE_ORDER]), RetryStep(order_id="", step="process payment", by="x"),
            SagaFilter(statuses=("NEEDS_ATTENTION",), limit=3), 1e9,
        )
    ),
    "sagas to cancel": Asked(
        lambda db: choose(
            db, Registry([PLACE_ORDER]), RetryStep(order_id="", step="process payment", by="x"),
            SagaFilter(limit=3), 1e9,
        )
    ),
    "how many orders": Asked(queries.order_counts, counts=True),
    "how many sagas": Asked(queries.saga_counts, counts=True),
}  # fmt: skip


def fill(database: str, history: int) -> None:
    """Store a number of old orders and a few new ones, with the mark as a worker sets it."""
    store = Store(database, Registry([PLACE_ORDER]), PARTITIONS)
    store.claim(["log"], [*range(PARTITIONS)])
    with store.db.transaction() as cursor:
        for statements, first, last in (
            (HISTORY, 1, history), (LATELY, history + 1, history + RECENT),
        ):  # fmt: skip
            numbers = (
                f"(WITH RECURSIVE c(n) AS (SELECT {first} UNION ALL SELECT n + 1 FROM c "
                f"WHERE n < {last}) SELECT n FROM c) AS numbers"
            )
            for statement in statements:
                made = re.sub(r"'f'", INSERTED[store.db.dialect], statement)
                sql = made.replace("FROM numbers", f"FROM {numbers}")
                cursor.execute(sql.replace("{state}", STATE).replace("{{", "{").replace("}}", "}"))
        cursor.execute("UPDATE offsets SET position = 1000000 WHERE topic = 'log'")
        for partition in range(PARTITIONS):
            cursor.execute(
                "INSERT INTO offsets (topic, partition, consumer, position) "
                f"VALUES ('log:role:stock', {partition}, 'order-sagas', 1000000)"
            )
        cursor.execute("INSERT INTO stock VALUES ('main', 'PEN', 5, 5, 10)")
        cursor.execute(f"INSERT INTO meta VALUES ('stored_up_to', '{history}')")
    store.close()


@pytest.fixture(scope="module")
def small_and_large(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """SQLite databases with a small history, and with one ten times as large."""
    made = []
    for history in (1000, 10_000):
        made.append(f"sqlite:///{tmp_path_factory.mktemp('history') / 'orders.db'}")
        fill(made[-1], history)
    return made[0], made[1]


def steps(database: str, ask: Callable[[sa.Connection], Any]) -> int:
    """The steps of SQLite's virtual machine for a query."""
    counted = 0

    def count() -> int:
        nonlocal counted
        counted += 1
        return 0

    with reading(database) as db:
        raw: Any = db.connection.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        raw.set_progress_handler(count, 1)
        ask(db)
        raw.set_progress_handler(None, 0)
    return counted


@pytest.fixture(autouse=True)
def small_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limit a search to one window, which is smaller than these histories."""
    monkeypatch.setattr(search, "WINDOW", 400)
    monkeypatch.setattr(search, "FEW", 200)
    monkeypatch.setattr(search, "BUDGET", -1.0)


@pytest.mark.parametrize("name", QUESTIONS)
def test_a_longer_history_slows_down_no_query(name: str, small_and_large) -> None:
    """Except for counting all orders, which reads one index."""
    asked = QUESTIONS[name]
    few, many = (steps(database, asked.ask) for database in small_and_large)

    if asked.counts:
        assert many < 10_000 * 10
    else:
        assert few > 0
        assert many <= few * 1.5


@pytest.mark.parametrize("name", QUESTIONS)
def test_no_query_scans_a_table_without_an_index(name: str, small_and_large) -> None:
    """SQLite's own plans: `SCAN` only of an index, of a few rows, or of the newest first."""
    scanned = set()
    with reading(small_and_large[0]) as db:
        asked = list(statements_of(db, QUESTIONS[name].ask))
        raw: Any = db.connection.driver_connection
        for statement, parameters in asked:
            for *_, detail in raw.execute(f"EXPLAIN QUERY PLAN {statement}", parameters):
                found = re.fullmatch(r"SCAN (\w+)", detail)
                if found:
                    scanned.add(found[1])

    newest_first = {"orders"} if name == "orders" or QUESTIONS[name].windowed else set()
    newest_first |= {"operator_actions"} if name == "operators' actions" else set()
    assert scanned <= {"submitted", "pauses", "stock", *newest_first} | set(
        filter(re.compile("anon_").match, scanned)
    )


@pytest.mark.postgres
def test_no_query_scans_a_growing_table_on_postgresql(postgres_url: str) -> None:
    """With enough rows and statistics for the planner to choose indexes."""
    fill(postgres_url, 20_000)
    engine = reading_engine(postgres_url)
    scans: dict[str, set[str]] = {}
    with sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT").connect() as db:
        db.exec_driver_sql("ANALYZE")
    with one_moment(engine) as plans:
        check_readable(plans)
        for name, asked in QUESTIONS.items():
            if name in OF_THE_EMBEDDED_LOG:
                continue
            with one_moment(engine) as db:
                statements = list(statements_of(db, asked.ask))
            for statement, parameters in statements:
                plan = plans.exec_driver_sql(f"EXPLAIN {statement}", parameters)
                found = {
                    each
                    for (line,) in plan
                    for each in re.findall(r"Seq Scan on (\w+)", line)
                    if each in GROWING
                }
                if found and not (asked.counts or asked.windowed):  # a window has all rows
                    scans[name] = found
    engine.dispose()

    assert {} == scans


OF_THE_EMBEDDED_LOG = (
    "records that wait", "records that wait for roles", "whether any waits", "loads that wait",
    "messages of an order",
)  # fmt: skip
"""Queries of the embedded log, which are not made on PostgreSQL."""
GROWING = ("order_keys", "orders", "sagas", "reservations", "payments", "notifications", "pruned",
           "log")  # fmt: skip


def statements_of(
    db: sa.Connection, ask: Callable[[sa.Connection], Any]
) -> Iterator[tuple[str, Any]]:
    """The statements of a query, with their parameters."""
    seen: list[tuple[str, Any]] = []

    def note(_: Any, __: Any, statement: str, parameters: Any, *___: Any) -> None:
        seen.append((statement, parameters))

    sa.event.listen(db, "before_cursor_execute", note)
    try:
        ask(db)
    finally:
        sa.event.remove(db, "before_cursor_execute", note)
    yield from seen


def test_unpublished_records_of_submitters_are_found_by_an_index(tmp_path: Path) -> None:
    """A partial index of theirs, read in limited portions among many records of workers."""
    store = Store(f"sqlite:///{tmp_path / 'orders.db'}", Registry(()), PARTITIONS)
    with store.db.transaction() as cursor:
        for consumer, count in (("order-sagas", 500), (SUBMITTED, 5)):
            cursor.executemany(
                "INSERT INTO outbox (consumer, shard, topic, partition) VALUES (?, 1, 't', 1)",
                [(consumer,)] * count,
            )
    sql = store.outbox._of_submitters
    plan = [row[-1] for row in store.db.rows(f"EXPLAIN QUERY PLAN {sql}", ("[1]", 3))]
    found = store.outbox.submitted([1], 3)
    store.close()

    assert 3 == len(found)
    assert any("USING INDEX outbox_submitted" in line for line in plan)
    assert not any("SCAN outbox" in line for line in plan)


def test_the_snapshot_of_http_reads_only_orders_in_flight(small_and_large) -> None:
    """Except for its totals, which are counted with an index, and less often."""
    for database in small_and_large:
        reader = ReadModel(database, Registry([PLACE_ORDER]))
        snapshot = reader.snapshot()
        reader.close()

        assert RECENT // 2 == snapshot.in_flight
        assert RECENT // 2 == snapshot.orders["SUBMITTED"]


def test_the_mark_passes_stored_orders_and_lists_waiting_ones(tmp_path: Path) -> None:
    """An order that still waits is listed until it is stored."""
    database = f"sqlite:///{tmp_path / 'orders.db'}"
    fill(database, 3 * CHUNK)
    store = Store(database, Registry([PLACE_ORDER]), PARTITIONS)
    with store.db.transaction() as cursor:
        cursor.execute("UPDATE meta SET value = '0' WHERE name = 'stored_up_to'")
        cursor.execute("DELETE FROM orders WHERE no IN (2, 4, 14000)")
        # Two order numbers without a fingerprint, one of which holds goods.
        cursor.execute("UPDATE order_keys SET fingerprint = NULL WHERE no IN (6, 8)")
        cursor.execute("DELETE FROM orders WHERE no IN (6, 8)")
        cursor.execute("UPDATE reservations SET status = 'RELEASED' WHERE no = 8")
    before, held = waiting(database), goods_held(database)
    done = MarkRound(store)
    while not done.done:
        done.step()
    ((mark,),) = store.db.rows("SELECT value FROM meta WHERE name = 'stored_up_to'", ())
    listed = [no for (no,) in store.db.rows("SELECT no FROM submitted ORDER BY no", ())]
    after, held_after = waiting(database), goods_held(database)
    with store.db.transaction() as cursor:
        cursor.execute("INSERT INTO pruned VALUES (2, 'COMPLETED', '', 1, 1)")
    then = waiting(database)
    MarkRound(store).step()
    left = [no for (no,) in store.db.rows("SELECT no FROM submitted ORDER BY no", ())]
    store.close()

    assert {"h-2", "h-4", "h-14000"} <= before
    assert (str(2 * CHUNK), [2, 4, 6], before) == (mark, listed, after)
    assert {"h-6", "h-8"}.isdisjoint(before)
    assert held == held_after
    assert (before - {"h-2"}, [4, 6]) == (then, left)


def waiting(database: str) -> set[str]:
    """The ids of the waiting orders."""
    with reading(database) as db:
        return {row["order_id"] for row in queries.orders(db, (queries.SUBMITTED,))}


def goods_held(database: str) -> int:
    """The number of held pieces."""
    with reading(database) as db:
        return sum(int(row["held"]) for row in queries.stock(db))
