"""If the database refuses a write at a commit, only the record at fault becomes a dead letter."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
import sqlalchemy as sa

from order_sagas.actors.entities import Order, Payment
from order_sagas.actors.messages import PaymentFailed
from order_sagas.actors.sagas import minutes
from order_sagas.actors.services.simulated_gateway import Silence, SimulatedGateway
from order_sagas.bridges.errors import UnstorableError
from order_sagas.bridges.records.dead_letter import ABOUT
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.connection import postgres_engine
from order_sagas.bridges.storage.sqlite import sqlite_engine
from tests.support.embedded import EmbeddedSystem, an_order

Plant = Callable[..., None]

ON_POSTGRES = pytest.param("postgresql", marks=pytest.mark.postgres)
EVERY = pytest.mark.parametrize("kind", ["sqlite", ON_POSTGRES])

CHECKS = {
    "sqlite": "CREATE TRIGGER shop_rule BEFORE INSERT ON {table} WHEN NEW.{column} LIKE 'bad%' "
    "BEGIN SELECT RAISE(ABORT, 'shop_rule: not in this shop'); END",
    "postgresql": "ALTER TABLE {table} ADD CONSTRAINT shop_rule CHECK ({column} NOT LIKE 'bad%%')",
}
"""Constraints of a shop's administrator, by kind of database."""


@pytest.fixture
def system(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[EmbeddedSystem]:
    """A system with the embedded log on a database of this kind."""
    url = None if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))
    with EmbeddedSystem(tmp_path, database=url) as made:
        made.load({"PEN": 10_000})
        yield made


@pytest.fixture
def plant(system: EmbeddedSystem) -> Plant:
    """Run statements of the shop's administrator."""

    def run(*statements: str) -> None:
        url = sa.make_url(system.settings.database)
        sqlite = url.get_backend_name() == "sqlite"
        engine = sqlite_engine(url) if sqlite else postgres_engine(url)
        with engine.begin() as db:
            for statement in statements:
                db.exec_driver_sql(statement)
        engine.dispose()

    return run


def put(system: EmbeddedSystem, *order_ids: str) -> None:
    """Submit orders in one batch."""
    system.put(*[an_order(order_id) for order_id in order_ids])


def letters(system: EmbeddedSystem) -> list[tuple[str, str, str]]:
    """The status, order id and error of each dead letter."""
    found = []
    numbers = [number for number, *_ in system.log.dead_letters.letters()]
    for _, _, value, headers in system.log.dead_letters.whole(numbers):
        fields = msgspec.json.decode(value or b"{}")
        error = dict(headers)[ABOUT[3]].decode()
        found.append((fields["status"], fields["orderId"], error))
    return found


@EVERY
def test_a_refused_record_is_a_dead_letter_and_the_batch_is_committed(
    system: EmbeddedSystem, plant: Plant, kind: str
) -> None:
    """The command, not the order. Its saga times out, as without a reply."""
    plant(CHECKS[kind].format(table="payments", column="order_id"))
    put(system, *[f"o-{n}" for n in range(20)], "bad", *[f"p-{n}" for n in range(20)])

    assert {"COMPLETED"} == {system.status(f"{o}-{n}") for o in "op" for n in range(20)}
    ((status, order_id, error),) = letters(system)
    assert ("PROCESS_PAYMENT", "bad") == (status, order_id)
    assert "shop_rule" in error
    assert ("RUNNING", None) == (system.status("bad"), system.entity(Payment, "bad"))

    system.advance(minutes(30))

    assert "NEEDS_ATTENTION" == system.status("bad")  # its compensation is refused as well
    assert {"PROCESS_PAYMENT", "ROLLBACK_PAYMENT"} == {status for status, _, _ in letters(system)}


@EVERY
def test_a_replayed_dead_letter_is_stored_once_the_rule_is_gone(
    system: EmbeddedSystem, plant: Plant, kind: str
) -> None:
    """Its record is complete."""
    plant(CHECKS[kind].format(table="payments", column="order_id"))
    put(system, "bad")
    ((number, *_),) = system.log.dead_letters.letters()
    ((_, key, value, _),) = system.log.dead_letters.whole([number])
    plant(
        "DROP TRIGGER shop_rule"
        if kind == "sqlite"
        else "ALTER TABLE payments DROP CONSTRAINT shop_rule"
    )
    system.append(Outgoing("payment-events", 0, key, value))
    system.run()

    assert "COMPLETED" == system.status("bad")
    assert [] == system.violations()


@EVERY
def test_many_refused_records_are_found_in_their_order(
    system: EmbeddedSystem, plant: Plant, kind: str
) -> None:
    """More than are searched for at once."""
    plant(CHECKS[kind].format(table="orders", column="order_id"))
    bad = [f"bad-{n}" for n in range(40)]
    put(system, *[each for n in range(40) for each in (f"o-{n}", bad[n])])

    created = [order_id for status, order_id, _ in letters(system) if status == "ORDER_CREATED"]
    assert bad == created
    assert {"COMPLETED"} == {system.status(f"o-{n}") for n in range(40)}
    assert 40 == len(system.all_of(Order))


def test_a_saga_that_cannot_be_stored_ends_the_worker(tmp_path: Path) -> None:
    """If a timer caused the write, there is no record for a dead letter. The error names the
    saga."""
    settings = {"payment_silent_rate": 1.0, "payment_silent_attempts": 9}
    with EmbeddedSystem(tmp_path, settings=settings) as system:
        system.put(an_order("bad"))
        with system.log.db.transaction() as cursor:
            cursor.execute(CHECKS["sqlite"].format(table="sagas", column="order_id"))

        with pytest.raises(UnstorableError, match="saga place-order/bad cannot be stored"):
            system.advance(60.0)


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_key_too_large_for_an_index_is_a_fault_of_the_record(
    system: EmbeddedSystem, plant: Plant, kind: str
) -> None:
    """PostgreSQL reports it as a limit of the server, 54000."""
    plant("CREATE INDEX by_customer ON orders (customer_id)")
    noise = "".join(random.Random(1).choices("abcdefghijklmnopqrstuvwxyz0123456789", k=9000))
    system.put(an_order("o-1"), an_order("big", customer_id=noise), an_order("o-2"))

    assert ["COMPLETED", "COMPLETED"] == [system.status("o-1"), system.status("o-2")]
    ((status, order_id, error),) = letters(system)
    assert ("ORDER_CREATED", "big") == (status, order_id)
    assert "index row" in error


@pytest.mark.postgres
@pytest.mark.parametrize("kind", ["postgresql"])
def test_a_deferred_constraint_is_handled_as_well(
    system: EmbeddedSystem, plant: Plant, kind: str
) -> None:
    """A deferred constraint, and a trigger of the shop."""
    plant(
        "CREATE FUNCTION rule() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
        "IF NEW.order_id = 'bad' THEN RAISE EXCEPTION 'not in this shop'; END IF; "
        "RETURN NEW; END $$",
        "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON payments "
        "DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION rule()",
    )
    put(system, "o-1", "bad", "o-2")

    assert ["COMPLETED", "COMPLETED"] == [system.status("o-1"), system.status("o-2")]
    ((status, order_id, error),) = letters(system)
    assert ("PROCESS_PAYMENT", "bad", True) == (status, order_id, "not in this shop" in error)


@EVERY
@pytest.mark.parametrize(
    "fields", [{"amount": 10**30}, {"reason": "\ud800"}], ids=["a large integer", "no UTF-8"]
)
def test_values_that_are_out_of_range_are_unstorable(
    system: EmbeddedSystem, fields: dict[str, object], kind: str
) -> None:
    """They are no outage, and no error of the program."""
    order = Order(order_id="o-1", status="CREATED", **fields)  # type: ignore[arg-type]

    with pytest.raises(UnstorableError):
        system.store.try_writes([order], [])
    system.store.try_writes([Order(order_id="o-1", status="CREATED")], [])
    assert [] == system.all_of(Order)


@EVERY
def test_a_failure_may_have_a_long_code_and_reason(
    kind: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Services of others word them. What an index of PostgreSQL holds is limited."""
    url = None if kind == "sqlite" else str(request.getfixturevalue("postgres_url"))
    rng = random.Random(1)
    reason, code = (rng.randbytes(20_000).hex() for _ in range(2))
    silent = SimulatedGateway(silence=Silence(rate=1.0, where="payment"))
    with EmbeddedSystem(tmp_path, database=url, gateway=silent) as system:
        put(system, "o-1")
        system.put(PaymentFailed(order_id="o-1", code=code, reason=reason))

        assert "CANCELLED" == system.status("o-1")
        assert [] == letters(system)
