"""Apps: errors when they are made or loaded, and running them."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import attrs
import msgspec
import pytest
from thespian.actors import ActorSystem

from order_sagas import (
    App,
    Entity,
    Message,
    Notice,
    Participant,
    Remind,
    Saga,
    Service,
    Step,
    Wait,
)
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import CancelSaga, ResumeSaga
from order_sagas.actors.topics import OPERATORS
from order_sagas.bridges.records.routing import ORCHESTRATOR
from order_sagas.system.app import app_of, roles_here
from order_sagas.system.bootstrap import Parts, start
from order_sagas.system.order_app import APP as ORDER_APP
from order_sagas.system.roles import group_of
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings
from order_sagas.system.settings.errors import SettingError
from tests.support.embedded import EmbeddedSystem
from tests.support.rentals import APP
from tests.support.rentals.app import RENT_CAR
from tests.support.rentals.messages import (
    CarReserved,
    DepositRefused,
    DepositReturned,
    DepositTaken,
    HandOverKeys,
    KeysHandedOver,
    RentalRequested,
    ReserveCar,
    ReturnDeposit,
    TakeDeposit,
)
from tests.support.rentals.services import Bank, Cars, Deposits, RentedCar
from tests.support.virtual_kafka import VirtualKafkaSystem

RENTALS = {"app": "tests.support.rentals:APP"}


class Ping(Message):
    """A command without a reply."""


def a_saga(name: str, to: Participant, starts_on: type[Message] = RentalRequested) -> Saga[Any]:
    """Return a saga of one step."""
    step: Step[Any] = Step(
        "ping", to=to, do=lambda start: Ping(order_id=start.order_id), needs_no_undo=True
    )
    return Saga(name, 1, starts_on, [step])


def a_service(name: str, of: type[Entity], takes: type[Message] = Ping) -> type[Service]:
    """Return a service that takes one message and does nothing."""
    fields: dict[str, Any] = {
        "participant": Participant(name, topic=f"{name}-events"),
        "entity": of,
        "handlers": {takes: lambda self, state, message, now: None},
    }
    return type(f"{name.title()}Service", (Service,), fields)


# --- what is refused when an app is made --------------------------------------------------------


def test_a_participant_without_a_service_is_refused() -> None:
    """Its commands would be dead letters."""
    with pytest.raises(DefinitionError, match=r"participant 'far' has no service.*remote=\[\.\.\."):
        App(sagas=[a_saga("ping-far", Participant("far", topic="far-events"))])


def test_a_participant_elsewhere_declares_what_it_takes() -> None:
    """Then it needs no service here."""
    far = Participant("far", topic="far-events", remote=[Ping])
    app = App(sagas=[a_saga("ping-far", far)])

    assert "far-events" in app.topics
    assert (ORCHESTRATOR,) == app.roles
    assert Ping is app.messages["PING"]


def test_a_service_is_given_as_a_class() -> None:
    """An object of it would stop the workers."""
    services: list[Any] = [Cars(), Deposits]
    with pytest.raises(DefinitionError, match=r"takes classes: write Cars, not Cars\(\)"):
        App(sagas=[RENT_CAR], services=services)


def test_a_client_without_a_service_is_refused() -> None:
    """No service would get it."""
    with pytest.raises(DefinitionError, match=r"client for 'bank'.*there are cars, deposits"):
        App(sagas=[RENT_CAR], services=[Cars, Deposits], clients={"bank": lambda settings: None})


def test_two_message_classes_of_one_status_are_refused() -> None:
    """A record's status must name one class."""
    meta: Any = type(Message)
    other = meta("Ping", (Message,), {"__module__": "elsewhere"})
    services = [a_service("one", RentedCar), a_service("two", RentedCar, other)]
    with pytest.raises(DefinitionError, match=r"elsewhere\.Ping and .*\.Ping .*status PING"):
        App(sagas=[a_saga("ping-one", services[0].participant)], services=services)


def test_two_services_of_one_participant_are_refused() -> None:
    """Each message would be handled by one of them alone."""
    with pytest.raises(DefinitionError, match=r"Cars and Cars are both the service of .*'cars'"):
        App(sagas=[RENT_CAR], services=[Cars, Deposits, Cars])


def test_a_participant_with_another_topic_than_its_service_is_refused() -> None:
    """The service would not read the commands."""
    elsewhere = Participant("cars", topic="cars")
    with pytest.raises(DefinitionError, match=r"has the topic 'cars' in a saga, and 'car-events'"):
        App(sagas=[a_saga("ping-cars", elsewhere)], services=[Cars])


class Pong(Message):
    """A command that no service takes."""


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"steps": [Step[Any]("go", to=Cars, do=Pong, needs_no_undo=True)]}, "step 'go': `do` is"),
        (
            {
                "steps": [
                    Wait[Any](
                        "wait",
                        for_=Pong,
                        within=5,
                        remind=Remind(every=1, to=Cars, send=Pong),
                    )
                ]
            },
            "step 'wait': the reminder is",
        ),
        (
            {
                "steps": [Wait[Any]("wait", for_=Ping, within=5)],
                "cancelled": [Notice[Any](to=Cars, send=Pong)],
            },
            "a notice is",
        ),
    ],
    ids=["command", "reminder", "notice"],
)
def test_a_class_that_its_receiver_does_not_take_is_refused(
    given: dict[str, Any], problem: str
) -> None:
    """Each of its messages would be a dead letter."""
    saga = Saga[Any]("ping", 1, RentalRequested, **given)
    with pytest.raises(DefinitionError, match=f"saga 'ping', {problem} Pong, which 'cars' does"):
        App(sagas=[saga], services=[Cars])


BOOKED: dict[str, Any] = {
    "do": TakeDeposit, "done": DepositTaken, "failed": DepositRefused, "within": 5,
    "undo": ReturnDeposit, "undone": DepositReturned,
}  # fmt: skip
"""A step that fits the service of the deposits."""


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (
            {"failed": None},
            "answers DepositRefused, which it does not name; it needs failed=DepositRefused",
        ),
        ({"failed": Pong}, "answers DepositRefused, not Pong; it needs failed=DepositRefused"),
        ({"done": Pong}, "answers DepositTaken, not Pong; it needs done=DepositTaken"),
        ({"undone": Pong}, "answers DepositReturned, not Pong; it needs undone=DepositReturned"),
    ],
)
def test_a_step_must_wait_for_the_replies_of_its_service(
    wrong: dict[str, Any], problem: str
) -> None:
    """It would time out, although it was answered."""
    saga = Saga[Any]("rent", 1, RentalRequested, [Step("go", to=Deposits, **{**BOOKED, **wrong})])
    with pytest.raises(DefinitionError, match=f"saga 'rent', step 'go': 'deposits' {problem}"):
        App(sagas=[saga], services=[Deposits])


def test_replies_that_do_not_matter_need_not_be_named() -> None:
    """An undo that is not waited for, a refusal after the pivot, and no reply at all."""
    pivot = Step[Any]("pay", to=Deposits, do=TakeDeposit, pivot=True)
    after: dict[str, Any] = {**BOOKED, "failed": None, "undo": None, "undone": None}
    unconfirmed: dict[str, Any] = {**BOOKED, "undone": None}
    rows = [Step[Any]("go", to=Deposits, **unconfirmed), pivot]
    saga = Saga[Any]("rent", 1, RentalRequested, [*rows, Step("after", to=Deposits, **after)])

    assert App(sagas=[saga], services=[Deposits])


class _SameTable(Entity):
    """An entity with the table of another."""

    table: ClassVar[str] = "rented_cars"
    order_id: str


class _OrdersTable(Entity):
    """An entity with a table of the order business."""

    table: ClassVar[str] = "orders"
    order_id: str


class _SystemTable(Entity):
    """An entity with a table of the system."""

    table: ClassVar[str] = "sagas"
    order_id: str


def test_two_entities_of_one_table_are_refused() -> None:
    """They would overwrite each other."""
    services: list[type[Service]] = [Cars, Deposits, a_service("one", _SameTable)]
    with pytest.raises(DefinitionError, match=r"same table 'rented_cars'"):
        App(sagas=[RENT_CAR], services=services)


@pytest.mark.parametrize("kind", [_OrdersTable, _SystemTable])
def test_a_table_name_of_the_system_is_refused(kind: type[Entity]) -> None:
    """Before the database raises an error that is hard to understand."""
    service = a_service("one", kind)
    with pytest.raises(DefinitionError, match=f"table name '{kind.table}' is reserved"):
        App(sagas=[a_saga("ping-one", service.participant)], services=[service])


class _NoStatus(Entity):
    """An entity with calls that are owed, and without the field that says so."""

    table: ClassVar[str] = "no_status"
    pending: ClassVar[str] = "PENDING"
    order_id: str


class _WordOfSql(Entity):
    """An entity with a field that a database cannot have."""

    table: ClassVar[str] = "word_of_sql"
    order_id: str
    to: str = ""


class _NoTable(Entity):
    """An entity without a table name."""

    order_id: str


class _QuotedTable(Entity):
    """An entity whose table would have to be quoted in SQL."""

    table: ClassVar[str] = "my table"
    order_id: str


class _NoKey(Entity):
    """An entity without the field that identifies it."""

    table: ClassVar[str] = "no_key"
    what: str


@pytest.mark.parametrize(
    ("kind", "problem"),
    [
        (_NoTable, '_NoTable has no table; name one: table = "_notables"'),
        (_QuotedTable, "_QuotedTable: the table name 'my table' must be of small letters"),
        (_NoKey, "_NoKey has no field 'order_id', which is its key"),
        (_NoStatus, "_NoStatus has `pending`, and no field `status`"),
        (_WordOfSql, "_WordOfSql: no column can be named 'to'"),
    ],
)
def test_an_entity_that_no_table_can_hold_is_refused(kind: type[Entity], problem: str) -> None:
    """Before the database says something that nobody understands."""
    service = a_service("one", kind)
    with pytest.raises(DefinitionError, match=problem):
        App(sagas=[a_saga("ping-one", service.participant)], services=[service])


def test_two_sagas_that_start_on_one_message_are_refused() -> None:
    """The registry says so when the app is made."""
    service = a_service("one", RentedCar)
    sagas = [a_saga(name, service.participant) for name in ("first", "second")]
    with pytest.raises(DefinitionError, match="starts both 'first' and 'second'"):
        App(sagas=sagas, services=[service])


# --- what is refused when a setting names an app -------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Return the working directory, where modules of apps are looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith("shop_"):
            del sys.modules[name]


def test_the_default_app_is_that_of_orders() -> None:
    """Loaded once."""
    assert app_of(Settings()) is ORDER_APP
    assert ORDER_APP.takes_orders
    assert not APP.takes_orders


@pytest.mark.parametrize(
    ("module", "text", "name", "problem"),
    [
        ("shop_none", None, "shop_missing:APP", "there is no module 'shop_missing', looked for in"),
        ("shop_needs", "import nowhere_at_all", "shop_needs:APP", "its import failed: No module"),
        (
            "shop_bad",
            "\n1 / 0",
            "shop_bad:APP",
            "its import failed: ZeroDivisionError: division by zero (shop_bad.py, line 2)",
        ),
        ("shop_empty", "", "shop_empty:APP", "has no 'APP'; and no other App"),
        ("shop_kind", "APP = 7", "shop_kind:APP", "it is a int, and no App"),
        (
            "shop_other",
            "from tests.support.rentals import APP as RENTALS",
            "shop_other:APP",
            "has no 'APP'; it has RENTALS",
        ),
        (
            "shop_wrong",
            "from order_sagas import App\n"
            "from tests.support.rentals.app import RENT_CAR\n"
            "APP = App(sagas=[RENT_CAR])",
            "shop_wrong:APP",
            "remote=[...]) (shop_wrong.py, line 3)",
        ),
        (
            "shop_delay",
            "from order_sagas import Delay\n\nDelay('rest', '5m')",
            "shop_delay:APP",
            "or minutes(5), not '5m' (shop_delay.py, line 3)",
        ),
    ],
)
def test_an_app_that_cannot_be_loaded_is_a_wrong_setting(
    folder: Path, module: str, text: str | None, name: str, problem: str
) -> None:
    """In one line that names the setting and the app."""
    if text is not None:
        (folder / f"{module}.py").write_text(text)
    with pytest.raises(SettingError) as error:
        app_of(Settings(app=name))

    assert problem in str(error.value)
    assert "app" in str(error.value)
    assert name in str(error.value)
    assert "\n" not in str(error.value)


def test_an_app_is_found_in_the_working_directory(folder: Path) -> None:
    """As `python -m` finds a module."""
    (folder / "shop_here.py").write_text("from tests.support.rentals import APP")

    assert app_of(Settings(app="shop_here:APP")) is APP


def test_a_role_that_the_app_does_not_have_is_a_wrong_setting() -> None:
    """It names the roles there are; without a choice all of them run."""
    with pytest.raises(SettingError, match="'payment' is no role of the app; it has orchestrator"):
        roles_here(Settings(roles=("payment",)), APP)

    assert (ORCHESTRATOR, "cars", "money") == roles_here(Settings(), APP)
    assert ("money",) == roles_here(Settings(roles=("money",)), APP)


def test_a_role_has_the_name_of_its_only_service() -> None:
    """Where a person sees it; it is stored by its own. One that services share keeps its own."""
    of_orders = ("orchestrator", "orders", "payments", "stock", "notifications")

    assert of_orders == tuple(ORDER_APP.names_of_roles.values())
    assert "payments" == ORDER_APP.names_of_roles["payment"]
    assert {"money": "deposits"}.items() <= APP.names_of_roles.items()

    class Fines(Deposits):
        participant = Participant("fines", topic="fine-events", role="money")
        handlers: ClassVar[dict[Any, Any]] = {}

    shared = attrs.evolve(APP, services=(*APP.services, Fines))
    assert {"money": "money"}.items() <= shared.names_of_roles.items()


def test_a_service_stands_for_its_role() -> None:
    """Workers and offsets know the role only."""
    settings = Settings(roles=("payments", "payment", "stock"), kafka_group="shop")

    assert ("payment", "stock") == roles_here(settings, app_of(settings))
    assert "shop.payment+stock" == group_of(settings)


# --- what runs -----------------------------------------------------------------------------------


def a_rental(order_id: str = "r-1", **fields: Any) -> RentalRequested:
    """Return a request for a van."""
    return RentalRequested(order_id=order_id, **{"car": "van", "deposit": 500, **fields})


def rentals(folder: Path, kind: type[EmbeddedSystem] = EmbeddedSystem) -> EmbeddedSystem:
    """Return a system that runs the app of rentals."""
    return kind(folder, settings=RENTALS, sagas=APP.sagas, services=APP.services)


@pytest.mark.parametrize("kind", [EmbeddedSystem, VirtualKafkaSystem], ids=["embedded", "kafka"])
def test_commands_to_a_service_elsewhere_are_left_to_it(
    tmp_path: Path, kind: type[EmbeddedSystem]
) -> None:
    """They are no dead letters, and its reply ends the saga."""
    with rentals(tmp_path, kind) as system:
        system.put(a_rental())
        waits = system.status("r-1", "rent-car")
        system.put(KeysHandedOver(order_id="r-1"))

        assert ("RUNNING", "COMPLETED") == (waits, system.status("r-1", "rent-car"))
        assert [] == _dead_letters(system)
        assert RentedCar(order_id="r-1", status="KEPT", car="van") == system.entity(
            RentedCar, "r-1"
        )


def test_a_message_that_the_service_elsewhere_does_not_take_is_a_dead_letter(
    tmp_path: Path,
) -> None:
    """Only what is declared is left alone."""
    with rentals(tmp_path) as system:
        system.put(ReserveCar(order_id="r-1"), topic="desk-events")
        system.put(HandOverKeys(order_id="r-1"), topic="desk-events")
        system.put(CarReserved(order_id="r-1"), topic="desk-events")

        assert ["RESERVE_CAR", "CAR_RESERVED"] == [each["status"] for each in _dead_letters(system)]


def test_a_failed_step_undoes_what_came_before(tmp_path: Path) -> None:
    """With the client of the app, which declines."""
    with rentals(tmp_path) as system:
        system.put(a_rental(deposit=5000))

        assert "CANCELLED" == system.status("r-1", "rent-car")
        car = system.entity(RentedCar, "r-1")
        assert car
        assert "FREE" == car.status


def test_a_client_is_made_once_and_closed_at_the_stop(tmp_path: Path) -> None:
    """For all orders of a worker."""
    made = len(Bank.opened)
    with rentals(tmp_path) as system:
        system.put(a_rental("r-1"), a_rental("r-2"))
        open_before = [bank.closed for bank in Bank.opened[made:]]
        # On virtual time nobody answers the stop, so that the clients are closed as it does.
        assert system.running
        system.running.stop(0)

    assert [0] == open_before
    assert [1] == [bank.closed for bank in Bank.opened[made:]]


def test_a_client_that_cannot_be_made_is_a_wrong_setting(tmp_path: Path) -> None:
    """In one line that names the participant."""

    def no_bank(settings: Settings) -> Bank:
        raise KeyError("BANK_URL")

    parts = Parts(
        settings=Settings(database=f"sqlite:///{tmp_path / 'sagas.db'}"),
        app=attrs.evolve(APP, clients={"deposits": no_bank}),
    )
    actors = ActorSystem(EventLoopBase(parts.clock), transientUnique=True)
    with pytest.raises(SettingError, match="client of 'deposits' cannot be made: KeyError: 'BANK"):
        start(parts, actors)
    actors.shutdown()


@pytest.mark.parametrize("command", [CancelSaga, ResumeSaga])
def test_operators_commands_are_taken_from_their_topic_only(
    tmp_path: Path, command: type[CancelSaga] | type[ResumeSaga]
) -> None:
    """Who may write to the topic of a service may not operate."""
    with rentals(tmp_path) as system:
        system.put(a_rental())
        asked = command(order_id="r-1", saga="rent-car", by="eve", why="I may")
        system.put(asked, topic="desk-events")
        system.put(asked, topic="car-events")
        untouched = system.status("r-1", "rent-car")
        letters = len(_dead_letters(system))
        system.put(CancelSaga(order_id="r-1", saga="rent-car", by="op", why="no"), topic=OPERATORS)

        assert ("RUNNING", 2) == (untouched, letters)
        assert 2 == len(_dead_letters(system))


def _dead_letters(system: EmbeddedSystem) -> list[dict[str, Any]]:
    if isinstance(system, VirtualKafkaSystem):
        return [msgspec.json.decode(each.value or b"") for each in system.broker.of("dead-letters")]
    return system.records("dead-letters")
