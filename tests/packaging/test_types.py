"""Type checkers see the types of an installed package in somebody else's project."""

import sys
from pathlib import Path

import pytest

from tests.packaging.distribution import (
    Environment,
    built,
    environment,
    run,
    way,
)
from tests.support.working_copy import copy_of_repository

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(900)]

PROJECT = '''"""A saga of a project's own."""

from order_sagas import (
    Answer, Child, Delay, Each, Entity, Message, Notice, Parallel, Participant, Remind, Replies,
    Saga, Service, Step, Wait, days, hours, minutes,
)


class ParcelReady(Message):
    weight: int = 0
    labels: tuple[str, ...] = ()


class BookCourier(Message):
    weight: int = 0


class CourierBooked(Message):
    number: int = 0


class CourierGone(Message): ...


class CancelCourier(Message):
    number: int = 0


class Approved(Message): ...


class Deposit(Message, kw_only=True):
    cents: int = 0
    currency: str


class Booking(Entity):
    table = "bookings"
    order_id: str
    weight: int = 0


PAID = Deposit(order_id="P-1", currency="EUR")


COURIER = Participant("courier", topic="courier-events")


def book(parcel: ParcelReady) -> BookCourier:
    return BookCourier(order_id=parcel.order_id, weight=parcel.weight)


def cancel(parcel: ParcelReady) -> CancelCourier:
    return CancelCourier(order_id=parcel.order_id)


class Courier(Service):
    participant = COURIER
    entity = Booking

    def book(self, known: Booking | None, command: BookCourier, now: float) -> Answer:
        booking = known or Booking(order_id=command.order_id, weight=command.weight)
        return Answer((booking,), (CourierBooked(order_id=command.order_id),))

    handlers = {BookCourier: book}


SHIP = Saga(
    name="ship-parcel",
    version=1,
    starts_on=ParcelReady,
    steps=[
        Step("book", to=COURIER, do=book, done=CourierBooked, within=minutes(5), undo=cancel),
        Step("tell", to=COURIER, do=cancel, pivot=True),
    ],
)


def cancel_number(parcel: ParcelReady, replies: Replies) -> CancelCourier:
    return CancelCourier(order_id=parcel.order_id, number=replies[CourierBooked].number)


SHIP_ALL = Saga(
    name="ship-all",
    version=1,
    starts_on=ParcelReady,
    deadline=days(9),
    steps=[
        Step("book", to=COURIER, do=lambda parcel: book(parcel), done=CourierBooked,
             within=minutes(5), undo=cancel_number, undone=CourierGone),
        Delay("rest", minutes(5), when=lambda parcel: parcel.weight > 7),
        Wait("approval", for_=Approved, within=days(2),
             remind=Remind(hours(8), COURIER, lambda parcel: cancel(parcel))),
        Each("labels", over=lambda parcel: parcel.labels, step=Step(
            "label", to=COURIER, needs_no_undo=True,
            do=lambda parcel, label: BookCourier(order_id=parcel.order_id + label.upper()))),
        Parallel(
            Step("weigh", to=COURIER, do=book, needs_no_undo=True),
            Step("pack", to=COURIER, needs_no_undo=True, do=lambda parcel, replies: BookCourier(
                order_id=parcel.order_id, weight=replies[CourierBooked].number)),
        ),
        Step("tell", to=COURIER, do=cancel, pivot=True),
        Each("boxes", over=lambda parcel: parcel.labels, step=Child(
            "box", saga=SHIP,
            start=lambda parcel, label: ParcelReady(order_id=parcel.order_id + label.upper()))),
    ],
    cancelled=[Notice(COURIER, lambda parcel, failure: CancelCourier(order_id=failure.code))],
)
'''
WRONG = {
    "mistaken.py": "CourierBooked(order_id=7)",
    "unordered.py": "class Mistake(Message):\n    cents: int = 0\n    currency: str\n",
    "unordered_entity.py": "class Row(Entity):\n    cents: int = 0\n    order_id: str\n",
    "incomplete.py": 'Deposit(order_id="P-1")',
}
"""Files with one line whose error a checker shall find."""

MISSPELT = {
    "do=lambda parcel: book(parcel)": "do=lambda parcel: book(parcel.me)",
    "parcel.weight > 7": "parcel.wieght > 7",
    "over=lambda parcel: parcel.labels": "over=lambda parcel: parcel.lables",
    "label.upper()": "label.uper()",
    "replies[CourierBooked].number))": "replies[CourierBooked].nummer))",
    "lambda parcel: cancel(parcel)": "lambda parcel: cancel(parcel.me)",
    'Step("weigh", to=COURIER, do=book': 'Step("weigh", to=COURIER, do=cancel_all',
}
"""Mistakes in the functions of a definition; a checker must find each."""
UNSEEN = {"parcel.wieght > 7", "label.uper()"}
"""Mistakes that mypy does not find, because it does not infer a lambda's types from a union."""
CANCEL_ALL = """

def cancel_all(order: CourierBooked) -> CancelCourier:
    return CancelCourier(order_id=order.order_id)


"""


@pytest.fixture(scope="module", params=[way("types-wheel"), way("types-editable")])
def installed(request, tmp_path_factory) -> Environment:
    """The package without optional parts, from a wheel and from a clone."""
    folder = tmp_path_factory.mktemp(request.param)
    found = environment(folder / "venv", folder / "project")
    if request.param == "types-wheel":
        found.run("pip", "install", "-q", built()[1])
    else:
        found.run("pip", "install", "-q", "-e", copy_of_repository(folder / "repository"))
    (found.project / "shipping.py").write_text(PROJECT)
    for file, line in WRONG.items():
        (found.project / file).write_text(f"{PROJECT}\n\n{line}\n")
    for number, (right, wrong) in enumerate(MISSPELT.items()):
        assert right in PROJECT
        misspelt = PROJECT.replace("SHIP_ALL =", CANCEL_ALL + "SHIP_ALL =")
        (found.project / f"misspelt_{number}.py").write_text(misspelt.replace(right, wrong))
    return found


def mypy(project: Environment, *files: str) -> list[str]:
    """The errors that `mypy --strict` finds."""
    return errors(
        project, "mypy", "--strict", "--python-executable", project.bin / "python", *files
    )


def pyright(project: Environment, *files: str) -> list[str]:
    """The errors that pyright finds."""
    return errors(project, "pyright", "--pythonpath", project.bin / "python", *files)


def errors(project: Environment, checker: str, *words: object) -> list[str]:
    """The lines of a checker's output that report an error."""
    command = [sys.executable, "-m", checker, *words]
    try:
        said = run(command, cwd=project.project).stdout
    except AssertionError as error:
        said = str(error)
        assert "error" in said, said
    return [line.strip() for line in said.splitlines() if " error:" in line or "- error" in line]


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_project_is_clean_and_wrong_arguments_are_found(installed: Environment, checker) -> None:
    """Of another type, and missing; and a field out of order: as when the program runs."""
    found = checker(installed, "shipping.py", *WRONG)

    assert set() == {file for file in WRONG if not any(file in line for line in found)}
    assert [] == [line for line in found if not any(file in line for file in WRONG)]


@pytest.mark.parametrize("checker", [mypy, pyright])
def test_a_misspelt_field_in_a_definition_is_found(installed: Environment, checker) -> None:
    """A field of the start, of an item, of a reply; and a function for another message."""
    files = {f"misspelt_{number}.py": wrong for number, wrong in enumerate(MISSPELT.values())}
    found = "\n".join(checker(installed, *files))
    missed = {wrong for file, wrong in files.items() if file not in found}

    assert (UNSEEN if checker is mypy else set()) == missed


def test_definitions_are_found_in_files(installed: Environment) -> None:
    """As an editor's "go to definition" does: every module has a file."""
    program = "import order_sagas, order_sagas.system.cli.main as m; print(m.__file__)"

    assert Path(installed.run("python", "-c", program).strip()).is_file()
