"""The wheel, the sdist and the image's install: what users run, in environments of their own."""

import json
import shutil
import tarfile
import urllib.request
import zipfile
from pathlib import Path, PurePosixPath

import attrs
import pytest

from tests.packaging.distribution import (
    HOSTILE,
    PACKAGE,
    ROOT,
    Environment,
    built,
    docker_context,
    docker_install,
    environment,
    run,
    way,
)
from tests.support.cli import Started
from tests.support.ports import free_port
from tests.support.sockets import listeners
from tests.support.waiting import wait_until
from tests.support.working_copy import copy_of_repository

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(900)]

ORDERS = 10_000
EXTRAS = "http,harness"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the repository: installing from it leaves files behind."""
    return copy_of_repository(tmp_path_factory.mktemp("repository"))


@pytest.fixture(scope="module")
def distributions() -> dict[str, Path]:
    """The files of a release."""
    sdist, wheel = built()
    return {"sdist": sdist, "wheel": wheel}


# All ways install the same files, as a test below checks: the longer tests run in one of them.
first = pytest.mark.parametrize("installed", [way("wheel")], indirect=True)


@pytest.fixture(scope="module", params=[way("wheel"), way("sdist"), way("image")])
def installed(request, tmp_path_factory, repository, distributions) -> Environment:
    """An environment with the package and its optional parts, installed in each of the ways."""
    folder = tmp_path_factory.mktemp(request.param)
    if request.param == "image":
        context = docker_context(repository, folder / "context")
        for command in docker_install((repository / "Dockerfile").read_text(), folder / "venv"):
            run(command, cwd=context)
        found = environment(folder / "venv", folder / "project")
        found.run("pip", "install", "-q", "pytest", "hypothesis")
    else:
        found = environment(folder / "venv", folder / "project")
        found.run("pip", "install", "-q", f"{distributions[request.param]}[{EXTRAS}]")
    shutil.copy(ROOT / "examples" / "stock.csv", found.project)
    return found


def many_orders(project: Path, count: int) -> Path:
    """The orders of the example, repeated with an id of its own for each."""
    orders = [
        json.loads(line) for line in (ROOT / "examples" / "orders.jsonl").read_text().splitlines()
    ]
    file = project / "many.jsonl"
    with file.open("w") as lines:
        for number in range(count):
            order = orders[number % len(orders)]
            lines.write(json.dumps({**order, "orderId": f"{order['orderId']}-{number}"}) + "\n")
    return file


def test_a_wheel_adds_one_import_package(distributions) -> None:
    """It adds no name that a project could use itself, and includes the types."""
    names = zipfile.ZipFile(distributions["wheel"]).namelist()

    folders = {PurePosixPath(name).parts[0] for name in names}
    assert {PACKAGE} == {name for name in folders if not name.endswith(".dist-info")}
    assert f"{PACKAGE}/py.typed" in names


def test_a_wheel_holds_every_file_of_the_layers(distributions) -> None:
    """Modules and the files of the page; a folder without `__init__.py` was once left out."""
    held = set(zipfile.ZipFile(distributions["wheel"]).namelist())
    tracked = run(["git", "ls-files", "actors", "bridges", "system"], cwd=ROOT).stdout.split()

    assert [] == [
        name for name in tracked if (ROOT / name).exists() if f"{PACKAGE}/{name}" not in held
    ]


def test_an_sdist_can_be_built_without_the_repository(distributions) -> None:
    """It contains files, and no links to places outside of it."""
    with tarfile.open(distributions["sdist"]) as archive:
        members = archive.getmembers()

    assert [] == [member.name for member in members if member.issym() or member.islnk()]


def test_the_package_is_the_only_one_that_an_environment_gets(installed) -> None:
    """As Python sees it after the installation."""
    program = (
        "from importlib.metadata import packages_distributions as found;"
        "print(*(k for k, v in found().items() if 'order-sagas' in v))"
    )

    assert PACKAGE == installed.run("python", "-c", program).strip()


def test_every_way_installs_the_files_of_the_wheel(installed, distributions) -> None:
    """Each file has the same content, by the hashes that pip has stored."""
    with zipfile.ZipFile(distributions["wheel"]) as wheel:
        (record,) = (name for name in wheel.namelist() if name.endswith(".dist-info/RECORD"))
        expected = files_of(wheel.read(record).decode())
    (record,) = installed.folder.glob(f"lib/*/site-packages/{record}")

    assert expected == files_of(record.read_text())
    assert f"{PACKAGE}/system/cli/main.py" in expected


def files_of(record: str) -> dict[str, str]:
    """The hash of each file of the package, from the text of a RECORD."""
    rows = (line.split(",") for line in record.splitlines())
    return {
        name: digest
        for name, digest, _ in rows
        if name.startswith(f"{PACKAGE}/") and "__pycache__" not in name
    }


def test_the_demo_runs(installed) -> None:
    """With packages in the current folder that have the names of ours."""
    said = installed.order_sagas("demo", "--orders", "200", "--seed", "1")

    assert "completed" in said


@first
def test_orders_of_a_file_go_through_two_workers_and_nothing_listens(installed) -> None:
    """The main job: start, load, submit, audit; the sockets of all processes are counted."""
    database = f"sqlite:///{installed.project / 'data' / 'orders.db'}"
    file = many_orders(installed.project, ORDERS)
    variables = {**installed.variables, "ORDER_SAGAS_DATABASE": database}
    command = (*installed.command, "start", "--workers", "2")

    with Started(installed.project, variables, command=command) as system:
        installed.order_sagas("stock", "load", "stock.csv", "--database", database)
        said = installed.order_sagas("submit", file, "--wait", "--json", "--database", database)
        audit = installed.order_sagas("audit", "--ended", "--database", database)
        open_ports = [each for each in listeners(system.process.pid) if each[0] != "unix"]

        assert 0 == system.stop()
    assert [] == open_ports
    assert ORDERS == sum(each["orders"] for each in json.loads(said)["outcomes"])
    assert "VIOLATION" not in audit


def test_http_serves_the_api_and_the_page(installed) -> None:
    """From the installed files."""
    port = free_port()
    database = f"sqlite:///{installed.project / 'http.db'}"
    variables = {**installed.variables, "ORDER_SAGAS_DATABASE": database}
    command = (*installed.command, "http", "--http", f"127.0.0.1:{port}")
    with Started(installed.project, variables, command=command, wait=False) as service:

        def answers(path: str) -> bytes | None:
            if service.process.poll() is not None:
                raise AssertionError(service.printed)
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as got:
                    return bytes(got.read())
            except OSError:
                return None

        wait_until(lambda: answers("/health/live"), "the server to answer")
        assert b"<html" in (answers("/") or b"")
        assert b'"openapi"' in (answers("/openapi.json") or b"")
        assert 0 == service.stop()


@first
def test_simulate_runs(installed) -> None:
    """It runs a few seeds."""
    installed.order_sagas("simulate", "--seeds", "3")


@first
def test_a_project_uses_the_pytest_plugin(installed) -> None:
    """In a project whose packages have our names; `python -m pytest` puts them on the path."""
    (installed.project / "test_orders.py").write_text(
        "from order_sagas.system.harness import COMPLETED, an_order\n\n\n"
        "def test_an_order_is_completed(harness):\n"
        "    order = harness.place(an_order())\n"
        "    harness.advance(1)\n"
        "    harness.expect(order).to_be(COMPLETED)\n"
    )

    assert "1 passed" in installed.run("python", "-m", "pytest", "-q", "test_orders.py")
    assert "1 passed" in installed.run("pytest", "-q", "test_orders.py")


@first
def test_a_new_project_passes_its_tests(installed) -> None:
    """The templates are installed too, and use nothing but what is installed."""
    installed.order_sagas("new", "travel")
    project = installed.project / "travel"

    done = run(
        [installed.bin / "python", "-m", "pytest", "-q"], cwd=project, env=installed.variables
    )
    assert "57 passed" in done.stdout


@first
def test_an_app_is_tested_and_simulated_without_the_repository(installed, tmp_path) -> None:
    """The travel example, in another folder; nothing else of the repository is importable."""
    shutil.copytree(ROOT / "examples" / "travel", tmp_path / "examples" / "travel")
    (tmp_path / "examples" / "__init__.py").touch()
    alone = attrs.evolve(installed, project=tmp_path)
    program = (
        "import importlib.util as util, order_sagas, sys\n"
        "print(order_sagas.__file__, *sys.path, sep='\\n')\n"
        f"print([name for name in {HOSTILE} if util.find_spec(name)])\n"
    )

    *places, importable = alone.run("python", "-c", program).splitlines()
    assert [] == [place for place in places if Path(place).is_relative_to(ROOT)]
    assert Path(places[0]).is_relative_to(installed.folder)
    assert "['examples']" == importable

    tests = alone.run("python", "-m", "pytest", "-q", "examples/travel/tests")
    assert " passed" in tests
    assert "failed" not in tests
    app = ("--app", "examples.travel.app:APP")
    simulated = alone.order_sagas("simulate", *app, "--seeds", "200", "--orders", "3")
    assert "No rule was broken." in simulated
    assert "200 seeds of 3 orders" in simulated
