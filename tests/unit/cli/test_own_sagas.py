"""Commands on another app: rentals, which has no orders."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import pytest
from click.testing import CliRunner, Result

from order_sagas import App, Message, Saga, Step, days, hours
from order_sagas.actors.clock import iso
from order_sagas.actors.messages import OrderLine
from order_sagas.bridges.records.message_schemas import type_text
from order_sagas.bridges.storage.queries import reading, saga_outcomes
from order_sagas.system.cli.main import main
from order_sagas.system.cli.start import first_start
from tests.support.embedded import EmbeddedSystem
from tests.support.rentals import APP
from tests.support.rentals.messages import KeysHandedOver, ReserveCar
from tests.support.rentals.services import Cars, Deposit, RentedCar


class Order(Message):
    """A start with a field that has to be given."""

    car: str


VAN = '{"orderId": "r-1", "car": "van", "deposit": 500}'
LONG = '{"orderId": "r-9", "car": "van", "days": 90}'


@pytest.fixture
def rentals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[EmbeddedSystem]:
    """A system of rentals on virtual time, whose database the commands use too."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    system = EmbeddedSystem(
        tmp_path,
        settings={"app": "tests.support.rentals:APP"},
        sagas=APP.sagas,
        services=APP.services,
    )
    for name in ("app", "database", "partitions"):
        monkeypatch.setenv(f"ORDER_SAGAS_{name.upper()}", str(getattr(system.settings, name)))
    yield system
    system.__exit__()


def run(*args: object, stdin: str | None = None) -> Result:
    """Run a command."""
    result = CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_banner_tells_a_command_that_can_work() -> None:
    """A start with a field that is required cannot be guessed, so its fields are shown."""
    started = first_start(APP)
    row = Step[Order]("sign", to=Cars, do=ReserveCar, needs_no_undo=True)
    needs_more = App(sagas=[Saga("rent", 1, Order, [row])], services=APP.services)

    assert started.endswith("""sagas start rent-car --data '{"orderId": "1"}' --wait""")
    assert first_start(needs_more).endswith("messages ORDER")


def test_the_id_of_a_saga_stands_for_its_order(rentals: EmbeddedSystem) -> None:
    """It is what `sagas start` prints."""
    run("sagas", "start", "rent-car", "--data", VAN)
    rentals.start()

    assert run("show", "r-1").stdout == run("show", "rent-car/r-1").stdout
    assert "Error: there is no order rent-van/r-1\n" == run("show", "rent-van/r-1").stderr


def test_a_wait_with_reminders_is_listed_until_its_end(rentals: EmbeddedSystem) -> None:
    """And not until the next reminder, which is the stored deadline; also after the first one."""
    rentals.start()
    run("sagas", "start", "rent-car", "--data", LONG)
    rentals.run()
    ends = iso(rentals.clock.now() + days(2))
    rentals.advance(hours(9))
    (row,) = json.loads(run("sagas", "--json").stdout)
    wait = json.loads(run("show", "r-9", "--json").stdout)["sagas"][0]["steps"][0]
    (stored,) = rentals.store.db.rows("SELECT deadline FROM sagas", ())

    assert (1, ends, ends) == (wait["attempt"], row["deadline"], wait["deadline"])
    assert ends[:10] in run("sagas").stdout
    assert iso(stored[0]) < ends


# --- sagas start ---------------------------------------------------------------------------------


def test_a_saga_is_started_by_its_name(rentals: EmbeddedSystem) -> None:
    """Its id is printed, and it waits in the log for a system."""
    done = run("sagas", "start", "rent-car", "--data", VAN)
    rentals.start()

    assert (0, "rent-car/r-1\n") == (done.exit_code, done.stdout)
    assert "No system is running" in done.stderr
    assert "RUNNING" == rentals.status("r-1", "rent-car")
    with reading(rentals.settings.database) as db:
        assert {"r-1": ("RUNNING", "")} == saga_outcomes(db, ["r-1", "r-2"], "rent-car")


def test_a_saga_is_started_once(rentals: EmbeddedSystem) -> None:
    """The same content changes nothing, before and after it has run; other content is refused."""
    run("sagas", "start", "rent-car", "--data", VAN)
    again = run("sagas", "start", "rent-car", "--data", VAN)
    rentals.start()
    later = run("sagas", "start", "rent-car", "--data", VAN)
    other = run("sagas", "start", "rent-car", "--data", VAN.replace("van", "sedan"))
    rentals.run()

    assert [0, 0, 1] == [done.exit_code for done in (again, later, other)]
    assert "it was there already, with the same content" in again.stderr
    assert "--data: rent-car/r-1 was started before with other content" in other.stderr
    assert 1 == [each["status"] for each in rentals.records()].count("RENTAL_REQUESTED")


def test_a_file_of_json_lines_is_read_line_by_line(rentals: EmbeddedSystem, tmp_path: Path) -> None:
    """A bad line is reported with its number and field, and the others are started."""
    file = tmp_path / "rentals.jsonl"
    file.write_text(f'{VAN}\n\n{{"orderId": "r-2", "cra": "van"}}\nno json\n{LONG}\n')
    done = run("sagas", "start", "rent-car", "--file", file)

    assert (1, "rent-car/r-1\nrent-car/r-9\n") == (done.exit_code, done.stdout)
    assert f"{file}:3: cra: there is no such field; there are car, days, " in done.stderr
    assert f"{file}:4: not JSON" in done.stderr


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        (json.dumps(json.loads(VAN), indent=2), ["r-1"]),
        (f"[{VAN}, {LONG}]", ["r-1", "r-9"]),
        (f"\ufeff{VAN}\r\n{LONG}\r\n", ["r-1", "r-9"]),
        ("[]", []),
    ],
)
def test_standard_input_may_be_json_or_json_lines(
    rentals: EmbeddedSystem, text: str, ids: list[str]
) -> None:
    """One value, an array, or a value on each line."""
    done = run("sagas", "start", "rent-car", "--file", "-", "--json", stdin=text)

    assert {
        "sagas": [{"sagaId": f"rent-car/{each}", "new": True} for each in ids],
        "refused": 0,
    } == (json.loads(done.stdout))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        ("oops", "--data: not JSON"),
        ("[]", "--data: expected a JSON object with the fields of RENTAL_REQUESTED"),
        ('{"car": "van"}', "--data: object missing required field orderId"),
        ('{"orderId": " "}', "--data: orderId: expected text of 1 to 200 characters"),
        ('{"orderId": "r-1", "days": "two"}', "--data: days: expected int, got str"),
        ('{"orderId": "r-1", "sagaId": "x"}', "--data: sagaId: it is set by the system"),
        ('{"orderId": "r-1", "status": "OTHER"}', "--data: status: it has to be RENTAL_REQUESTED"),
        ('{"orderId": "r-1", "car": "\\u0000"}', "--data: a text holds the character NUL"),
    ],
)
def test_a_start_that_is_wrong_is_refused(rentals: EmbeddedSystem, data: str, problem: str) -> None:
    """With the field, and nothing is stored."""
    done = run("sagas", "start", "rent-car", "--data", data)

    assert 1 == done.exit_code
    assert problem in done.stderr
    assert [] == rentals.records()


@pytest.mark.parametrize(
    ("args", "problem"),
    [
        (("start", "place-order", "--data", "{}"), "no saga 'place-order'; there are 'rent-car'"),
        (("start", "rent-car"), "give --data or --file"),
        (("start", "rent-car", "--data", "{}", "--file", "-"), "give --data or --file"),
        (("--json", "start", "rent-car", "--data", "{}"), "give the options after `start`"),
        (("--status", "running", "start", "x"), "give the options after `start`"),
    ],
)
def test_wrong_usage_says_what_is_accepted(
    rentals: EmbeddedSystem, args: tuple[str, ...], problem: str
) -> None:
    """With the exit code of wrong usage."""
    done = run("sagas", *args)

    assert 2 == done.exit_code
    assert problem in done.stderr


def test_sagas_still_lists(rentals: EmbeddedSystem) -> None:
    """Without a subcommand."""
    run("sagas", "start", "rent-car", "--data", VAN)
    rentals.start()
    (row,) = json.loads(run("sagas", "--status", "running", "--json").stdout)

    assert ("r-1", "rent-car", "hand over keys") == (row["orderId"], row["saga"], row["step"])


def test_start_waits_for_the_end(rentals: EmbeddedSystem) -> None:
    """Outcomes are printed; at once for a saga that ended before."""
    run("sagas", "start", "rent-car", "--data", VAN)
    rentals.start()
    rentals.put(KeysHandedOver(order_id="r-1"))
    done = run("sagas", "start", "rent-car", "--data", VAN, "--wait", "--json")

    assert 0 == done.exit_code
    told = json.loads(done.stdout)
    assert [{"sagaId": "rent-car/r-1", "new": False}] == told["sagas"]
    assert [{"status": "COMPLETED", "reason": "", "sagas": 1}] == told["outcomes"]


def test_an_order_is_started_as_if_it_were_submitted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the rules of orders, and in the list of orders."""
    with EmbeddedSystem(tmp_path) as system:
        monkeypatch.setenv("ORDER_SAGAS_DATABASE", system.settings.database)
        monkeypatch.setenv("ORDER_SAGAS_PARTITIONS", str(system.settings.partitions))
        order = {"orderId": "A", "customerId": "c", "currency": "EUR"}
        done = run("sagas", "start", "place-order", "--data", json.dumps(order))
        wrong = run("sagas", "start", "place-order", "--data", '{"orderId": "B"}')
        system.run()

        assert (0, "place-order/A\n") == (done.exit_code, done.stdout)
        assert (1, True) == (wrong.exit_code, "customerId" in wrong.stderr)
        assert ["A"] == [row["orderId"] for row in json.loads(run("orders", "--json").stdout)]


# --- signal --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "status"), [("RENTAL_APPROVED", "RUNNING"), ("RentalRejected", "CANCELLED")]
)
def test_a_signal_reaches_the_saga_that_waits_for_it(
    rentals: EmbeddedSystem, name: str, status: str
) -> None:
    """By its status, or by the name of its class."""
    run("sagas", "start", "rent-car", "--data", LONG)
    rentals.start()
    (row,) = json.loads(run("sagas", "--json").stdout)
    done = run("signal", "rent-car/r-9", name, "--data", "{}", "--by", "ada", "--why", "x")
    rentals.run()

    assert "approve long rental" == row["step"]
    assert 0 == done.exit_code
    assert "Sent. Result: order-sagas trace r-9" in done.stdout
    assert status == rentals.status("r-9", "rent-car")
    [noted] = json.loads(run("actions", "list", "--json").stdout)
    assert ("signal", "rent-car/r-9", "ada", "x") == tuple(
        noted[each] for each in ("action", "target", "by", "why")
    )
    assert noted["step"] in ("RENTAL_APPROVED", "RENTAL_REJECTED")


@pytest.mark.parametrize(
    ("args", "code", "problem"),
    [
        (("r-9", "RENTAL_APPROVED"), 1, "'r-9' is no id of a saga: it has to be NAME/ORDER_ID"),
        (("book-trip/r-9", "RENTAL_APPROVED"), 1, "is no id of a saga"),
        (("rent-car/r-8", "RENTAL_APPROVED"), 1, "order r-8 has no saga 'rent-car'"),
        (("rent-car/r-9", "CAR_RESERVED"), 2, "it waits for 'RENTAL_APPROVED', 'RENTAL_REJECTED'"),
        (("rent-car/r-9", "RENTAL_APPROVED", "--data", "["), 2, "--data: not JSON"),
        (("rent-car/r-9", "RENTAL_APPROVED", "--data", "7"), 2, "expected a JSON object"),
        (
            ("rent-car/r-9", "RENTAL_APPROVED", "--data", '{"byWho": "ada"}'),
            2,
            "byWho: there is no such field; there are byWhom, orderId",
        ),
        (
            ("rent-car/r-9", "RENTAL_APPROVED", "--data", '{"orderId": "r-8"}'),
            2,
            "orderId: it has to be r-9",
        ),
    ],
)
def test_a_signal_that_is_wrong_is_refused(
    rentals: EmbeddedSystem, args: tuple[str, ...], code: int, problem: str
) -> None:
    """And nothing is sent."""
    run("sagas", "start", "rent-car", "--data", LONG)
    rentals.start()
    done = run("signal", *args)

    assert code == done.exit_code
    assert problem in done.stderr
    assert [] == rentals.records("saga-signals")


def test_a_saga_that_has_ended_takes_no_signal(rentals: EmbeddedSystem) -> None:
    """The command says so at once."""
    run("sagas", "start", "rent-car", "--data", LONG)
    rentals.start()
    run("signal", "rent-car/r-9", "RENTAL_REJECTED")
    rentals.run()
    done = run("signal", "rent-car/r-9", "RENTAL_APPROVED")

    assert 1 == done.exit_code
    assert "order r-9: saga 'rent-car' has ended" in done.stderr


# --- messages ------------------------------------------------------------------------------------


def test_the_messages_of_the_app_are_listed(rentals: EmbeddedSystem) -> None:
    """With topic, receivers and fields."""
    lines = run("messages").stdout.splitlines()
    (start,) = [line for line in lines if line.startswith("RENTAL_REQUESTED")]
    (remote,) = [line for line in lines if line.startswith("HAND_OVER_KEYS")]

    assert ["RENTAL_REQUESTED", "car-events", "starts", "rent-car,", "orchestrator"] == (
        start.split()[:5]
    )
    assert "orderId, car, days, deposit" in start
    assert ["desk-events", "desk"] == remote.split()[1:3]
    assert not any(line.startswith("ORDER_CREATED") for line in lines)


def test_the_fields_of_one_message_are_shown(rentals: EmbeddedSystem) -> None:
    """With type and default."""
    lines = [line.split() for line in run("messages", "RentalRequested").stdout.splitlines()]

    assert ["orderId", "str", "required"] in lines
    assert ["days", "int", "1"] in lines
    assert ["car", "str", '""'] in lines
    assert 2 == run("messages", "ORDER_CREATED").exit_code


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (tuple[OrderLine, ...], "tuple[OrderLine, ...]"),
        (OrderLine | None, "OrderLine | None"),
        (dict[str, Annotated[int, msgspec.Meta(ge=0)]], "dict[str, int]"),
        (list[Literal["a", 1]], "list[Literal['a', 1]]"),
        (Any, "Any"),
    ],
)
def test_types_of_fields_have_no_module_names(kind: Any, text: str) -> None:
    """Also those within another type."""
    assert text == type_text(kind)


def test_json_schemas_come_from_the_classes(rentals: EmbeddedSystem) -> None:
    """Of one message, and of all; a record of the system is valid."""
    one: Any = json.loads(run("messages", "RENTAL_REQUESTED", "--json-schema").stdout)
    everything: Any = json.loads(run("messages", "--json-schema").stdout)
    schema = one["$defs"]["RentalRequested"]

    assert "#/$defs/RentalRequested" == one["$ref"]
    assert ["status", "orderId"] == schema["required"]
    assert ["RENTAL_REQUESTED"] == schema["properties"]["status"]["enum"]
    assert {"type": "integer", "default": 1} == schema["properties"]["days"]
    assert {"$ref": "#/$defs/CancelSaga"} in everything["oneOf"]
    assert len(APP.messages) == len(everything["oneOf"])


# --- the other commands --------------------------------------------------------------------------


@pytest.mark.parametrize(
    "args",
    [
        ("orders",),
        ("submit", "orders.jsonl"),
        ("stock", "show"),
        ("stock", "load", __file__),
    ],
)
def test_commands_of_the_order_business_say_that_the_app_has_none(
    rentals: EmbeddedSystem, args: tuple[str, ...]
) -> None:
    """As a wrong setting, with what the app has."""
    done = run(*args)

    assert 2 == done.exit_code
    assert "tests.support.rentals:APP" in done.stderr
    assert ("takes no orders" if args[0] != "stock" else "keeps no stock") in done.stderr


def test_a_saga_without_an_order_is_shown(rentals: EmbeddedSystem) -> None:
    """With the names of its steps, and what the services of the app store."""
    run("sagas", "start", "rent-car", "--data", VAN)
    rentals.start()
    shown = run("show", "r-1").stdout
    whole = json.loads(run("show", "r-1", "--json").stdout)

    assert "unknown here" not in shown
    for words in ("rented_cars", "KEPT", "car: van", "rental_deposits", "hand over keys"):
        assert words in shown
    assert {"status": "KEPT", "car": "van"} == whole["entities"]["rented_cars"]
    assert "reserve car" in [step["step"] for step in whole["sagas"][0]["steps"]]


def test_an_operator_need_not_name_the_only_saga(rentals: EmbeddedSystem) -> None:
    """Nor does --all, which takes any."""
    for order_id in ("r-7", "r-8", "r-9"):
        run("sagas", "start", "rent-car", "--data", LONG.replace("r-9", order_id))
    rentals.start()
    one = run("cancel", "r-9", "--why", "no more cars")
    rentals.run()
    others = run("cancel", "--all", "--why", "no more cars", "--yes")
    rentals.run()
    again = run("cancel", "r-9", "--why", "no more cars")
    unknown = run("cancel", "r-1", "--why", "no more cars")

    assert [0, 0, 1, 1] == [done.exit_code for done in (one, others, again, unknown)]
    assert ["CANCELLED"] * 3 == [rentals.status(f"r-{n}", "rent-car") for n in (7, 8, 9)]
    assert "2 sagas" in others.stdout
    assert "order r-1 has no saga" in unknown.stderr


def test_the_services_of_the_app_are_paused(rentals: EmbeddedSystem) -> None:
    """By their names; others are refused with the known ones."""
    done = run("pause", "cars", "--why", "stocktaking")
    refused = run("pause", "payments", "--why", "stocktaking")
    run("sagas", "start", "rent-car", "--data", VAN)
    rentals.start()
    waits = rentals.status("r-1", "rent-car"), len(rentals.statuses_of("r-1"))
    run("unpause", "cars")
    rentals.run()

    assert [0, 1] == [done.exit_code, min(refused.exit_code, 1)]
    assert "these can be: cars, deposits, intake" in refused.stderr
    assert "RUNNING" == waits[0]
    assert len(rentals.statuses_of("r-1")) > waits[1]


def test_audit_checks_the_rules_of_all_sagas(
    rentals: EmbeddedSystem,
) -> None:
    """Those of orders, money and goods are left out."""
    run("sagas", "start", "rent-car", "--file", "-", stdin=VAN.replace("500", "5000"))
    rentals.start()
    done = run("audit", "--ended", "--json")
    checks = {check["name"]: check["lookedAt"] for check in json.loads(done.stdout)["checks"]}

    assert 0 == done.exit_code
    assert "CANCELLED" == rentals.status("r-1", "rent-car")
    assert {"deadline", "deadline in reach", "nothing after the end", "each step once",
            "newest first", "undone whole"} == {*checks}  # fmt: skip
    assert 1 == checks["undone whole"]


def test_entities_of_the_app_are_pruned_and_archived_with_the_saga(
    rentals: EmbeddedSystem, tmp_path: Path
) -> None:
    """But not while a call is pending."""
    for order_id in ("r-1", "r-2"):
        run("sagas", "start", "rent-car", "--data", VAN.replace("r-1", order_id))
    rentals.start()
    rentals.put(KeysHandedOver(order_id="r-1"), KeysHandedOver(order_id="r-2"))
    with rentals.store.db.transaction() as cursor:
        cursor.execute("UPDATE rental_deposits SET status = 'PENDING' WHERE order_id = 'r-2'")
    done = run("prune", "--older-than", "30d", "--archive", tmp_path / "a.jsonl", "--json")
    (line,) = map(json.loads, (tmp_path / "a.jsonl").read_text().splitlines())

    assert 1 == json.loads(done.stdout)["orders"]
    assert ("r-1", "KEPT", "COMPLETED") == (
        line["order_id"], line["rentedcar"]["status"], line["deposit"]["status"],
    )  # fmt: skip
    assert ["r-2"] == [each.order_id for each in rentals.all_of(RentedCar)]
    assert ["r-2"] == [each.order_id for each in rentals.all_of(Deposit)]
    assert "It was pruned" in run("show", "r-1").stdout
    # It is not begun again.
    assert "it was there already" in run("sagas", "start", "rent-car", "--data", VAN).stderr
