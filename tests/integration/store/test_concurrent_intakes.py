"""Intakes of several processes on one PostgreSQL: each order once, and no global lock."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from random import Random

import pytest

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.intake.intake import Intake, Verdict
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.storage.connection import postgres_engine
from order_sagas.bridges.storage.database_url import parsed
from order_sagas.bridges.storage.store import Store
from tests.support.embedded import an_order

pytestmark = pytest.mark.postgres

INTAKES = 4


@pytest.fixture
def intakes(postgres_url: str) -> Iterator[list[Intake]]:
    """Several intakes, each with its own connection, as in separate processes."""
    with ExitStack() as logs:
        Store(postgres_url, Registry(()), 4).close()
        made = []
        for _ in range(INTAKES):
            log = EmbeddedLog(postgres_url, 4)
            logs.callback(log.close)
            made.append(Intake(log))
        yield made


def count(url: str, table: str) -> int:
    engine = postgres_engine(parsed(url))
    with engine.connect() as db:
        number = int(db.exec_driver_sql(f"SELECT count(*) FROM {table}").scalar_one())
    engine.dispose()
    return number


def test_only_one_intake_stores_an_order(intakes: list[Intake], postgres_url: str) -> None:
    """The same orders at once, in sequences that could deadlock, and one more order each."""
    orders = [an_order(f"o-{n}") for n in range(300)]

    def take(number: int) -> list[tuple[str, Verdict]]:
        mixed = [*orders, an_order(f"own-{number}")]
        Random(number).shuffle(mixed)
        chunks = [mixed[at : at + 50] for at in range(0, len(mixed), 50)]
        return [
            (order.order_id, verdict)
            for chunk in chunks
            for order, verdict in zip(chunk, intakes[number].take(chunk), strict=True)
        ]

    with ThreadPoolExecutor(INTAKES) as threads:
        verdicts = [each for taken in threads.map(take, range(INTAKES)) for each in taken]

    accepted = Counter(order_id for order_id, verdict in verdicts if verdict is Verdict.ACCEPTED)
    assert {1} == {*accepted.values()}
    assert 300 + INTAKES == len(accepted)
    assert {Verdict.ACCEPTED, Verdict.DUPLICATE} == {verdict for _, verdict in verdicts}
    assert (304, 304) == (count(postgres_url, "order_keys"), count(postgres_url, "log"))


def test_an_idempotency_key_belongs_to_its_first_order(
    intakes: list[Intake], postgres_url: str
) -> None:
    """Also under concurrent requests."""
    for round_ in range(20):

        def take(number: int, round_: int = round_) -> Verdict:
            order: OrderCreated = an_order(f"o-{round_}-{number}")
            (verdict,) = intakes[number].take([order], [f"key-{round_}"])
            return verdict

        with ThreadPoolExecutor(INTAKES) as threads:
            verdicts = sorted(each.name for each in threads.map(take, range(INTAKES)))

        assert ["ACCEPTED", *["KEY_REUSED"] * (INTAKES - 1)] == verdicts
    assert 20 == count(postgres_url, "log")


def test_an_intake_does_not_wait_for_other_orders(intakes: list[Intake]) -> None:
    """A transaction of another intake is open meanwhile; only moving the mark would wait for it."""
    first, second = intakes[0], intakes[1]
    with first._log.transaction() as cursor:
        first._log.db.together(cursor)
        first._log.db.insert_new(cursor, first._new_key, [("o-1", 0, b"12345678", None)])()

        assert [Verdict.ACCEPTED] == second.take([an_order("o-2")])
