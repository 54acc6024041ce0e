"""The rules of an app are checked on the whole database."""

from collections.abc import Callable, Iterator, Sequence

import pytest

from order_sagas import Stored, rule
from order_sagas.actors.entities import Entity
from order_sagas.actors.rules import Rule
from order_sagas.actors.sagas.registry import Registry
from order_sagas.bridges.audit import Finding, app_rules
from order_sagas.bridges.audit.app_rules import examine_rules
from order_sagas.bridges.storage.queries import reading
from tests.support.embedded import EmbeddedSystem
from tests.support.rentals import APP
from tests.support.rentals.messages import RentalRequested
from tests.support.rentals.services import Deposit, RentedCar

Examine = Callable[..., tuple[Finding, ...]]


@pytest.fixture
def rentals(tmp_path) -> Iterator[EmbeddedSystem]:
    """Three rentals: one waits for its keys, one has no such car, one costs too much."""
    system = EmbeddedSystem(
        tmp_path,
        settings={"app": "tests.support.rentals:APP"},
        sagas=APP.sagas,
        services=APP.services,
    )
    system.start()
    topic = APP.sagas[0].origin.topic
    for order_id, car, deposit in (("r-1", "van", 5), ("r-2", "tank", 5), ("r-3", "van", 2_000)):
        system.put(RentalRequested(order_id=order_id, car=car, deposit=deposit), topic=topic)
    yield system
    system.__exit__()


@pytest.fixture(params=[1, 2, 1_000])
def examine(request, rentals, monkeypatch) -> Examine:
    """Checks rules, reading one order, two, or all at once."""
    monkeypatch.setattr(app_rules, "AT_ONCE", request.param)

    def examined(
        *rules: Rule, entities: Sequence[type[Entity]] = (RentedCar, Deposit)
    ) -> tuple[Finding, ...]:
        with reading(rentals.settings.database) as db:
            return examine_rules(db, rules, entities, Registry(APP.sagas))

    return examined


def test_a_rule_sees_the_sagas_and_the_entities_of_each_order(examine: Examine) -> None:
    """Its violations are reported by order, with the number of examined orders."""
    seen: dict[str, tuple[list[str], int, str]] = {}

    @rule("cars are vans")
    def vans(order: Stored) -> str | None:
        """Nothing else is for rent."""
        car = order.entity(RentedCar)
        assert car
        start = order.sagas["rent-car"].start
        seen[order.order_id] = (list(order.sagas), len(order.entities), start.car)
        return f"a {car.car}" if car.car != "van" else None

    (finding,) = examine(vans)

    assert {"r-1": (["rent-car"], 2, "van"), "r-2": (["rent-car"], 1, "tank"),
            "r-3": (["rent-car"], 2, "van")} == seen  # fmt: skip
    assert ["cars are vans: r-2: a tank"] == [str(each) for each in finding.violations]
    assert (3, "Nothing else is for rent.", "orders") == (
        finding.looked_at, finding.check.rule, finding.check.things,
    )  # fmt: skip


def test_a_rule_with_ended_sees_only_orders_whose_sagas_have_ended(examine: Examine) -> None:
    """The rental that waits for its keys has not."""

    @rule("never ends", ended=True)
    def ends(order: Stored) -> str | None:
        return "it has"

    (finding,) = examine(ends)

    assert 2 == finding.looked_at
    assert ["r-2", "r-3"] == [each.subject for each in finding.violations]


def test_a_rule_of_a_class_sees_each_entity(examine: Examine) -> None:
    """Its subject is the key of the entity."""

    @rule("no deposit is large", of=Deposit)
    def small(deposit: Deposit) -> str | None:
        return deposit.request if "2000" in deposit.request else None

    (finding,) = examine(small)

    assert (2, "rental_deposits") == (finding.looked_at, finding.check.things)
    assert ["r-3"] == [each.subject for each in finding.violations]


def test_a_rule_that_raises_is_broken(examine: Examine) -> None:
    """An error in a rule does not count as success."""

    @rule("raises")
    def raises(order: Stored) -> str | None:
        raise ZeroDivisionError("in a rule")

    (finding,) = examine(raises)

    assert 3 == len(finding.violations)
    assert "the rule raised ZeroDivisionError: in a rule" == finding.violations[0].found


def test_a_missing_table_counts_as_empty(examine: Examine) -> None:
    """As for a new service of the app, before a system was started with it."""

    class RentedBoat(RentedCar):
        """A new class."""

        table = "rented_boats"

    @rule("no boats", of=RentedBoat)
    def boats(boat: RentedBoat) -> str | None:
        return "there is one"

    @rule("no boat of an order")
    def boat_of(order: Stored) -> str | None:
        return "there is one" if order.entity(RentedBoat) else None

    found = examine(boats, boat_of, entities=(RentedCar, RentedBoat))

    assert [0, 3] == [each.looked_at for each in found]
    assert [] == [each for finding in found for each in finding.violations]
