"""`new`: the project that it writes, and what it refuses."""

import subprocess
import sys

import pytest
from click.testing import CliRunner

from order_sagas.system.cli.main import main
from order_sagas.system.cli.new import FILES, NAME, SUFFIX
from tests.support.cli import ROOT

TEMPLATES = ROOT / "system" / "cli" / "new_project"


def new(*args):
    """Run the command; its result has `exit_code`, `stdout` and `stderr`."""
    return CliRunner().invoke(main, ["new", *map(str, args)])


@pytest.fixture
def project(tmp_path):
    """A new project."""
    assert 0 == new("travel", "--into", tmp_path).exit_code
    return tmp_path / "travel"


def test_every_template_becomes_a_file_of_the_project(project):
    """No template is forgotten, and no other file is written."""
    written = {str(p.relative_to(project)) for p in project.rglob("*") if p.is_file()}

    assert {each.name for each in TEMPLATES.iterdir()} == {f"{name}{SUFFIX}" for name in FILES}
    assert written == {place.replace(NAME, "travel") for place in FILES.values()}


def test_the_name_is_inserted_everywhere(project):
    """In file names, imports, the settings and the build."""
    texts = {p.name: p.read_text() for p in project.rglob("*") if p.is_file()}

    assert [] == [name for name, text in texts.items() if "{{" in text]
    assert 'app = "travel.app:APP"' in texts["order-sagas.toml"]
    assert 'packages = ["travel"]' in texts["pyproject.toml"]


@pytest.mark.parametrize("check", ["format --check", "check --select E,F,I,B,UP"])
def test_the_project_is_formatted_and_has_no_lint(project, check):
    """Under ruff's defaults, with our length of lines."""
    done = subprocess.run(
        [sys.executable, "-m", "ruff", *check.split(), "--no-cache", "--config", "line-length=100",
         "."],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout


@pytest.mark.processes
def test_the_tests_of_the_project_pass(project):
    """Without changes: outcomes, faults, and random simulations."""
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout
    assert "57 passed in" in done.stdout


@pytest.mark.processes
def test_the_tests_of_the_project_find_a_compensation_that_does_nothing(project):
    """A refund that is not made is found by the scenarios and by the simulations."""
    cards = project / "travel" / "cards.py"
    cards.write_text(cards.read_text().replace("client.refund(done.charge, key)", "return"))
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=project, capture_output=True, text=True,
    )  # fmt: skip

    assert 1 == done.returncode
    assert "test_a_room_that_is_not_free_is_not_paid" in done.stdout
    assert "test_each_booking_ends_and_only_confirmed_ones_are_paid[" in done.stdout


def test_an_existing_directory_is_not_changed(project):
    """Nothing is overwritten."""
    kept = project / "README.md"
    kept.write_text("mine")

    result = new("travel", "--into", project.parent)
    assert 1 == result.exit_code
    assert "exists already" in result.stderr
    assert "mine" == kept.read_text()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("My-Travel", "for example my_travel"),
        ("1st", "small letters, digits and _"),
        ("_travel", "small letters, digits and _"),
        ("a/b", "small letters, digits and _"),
        ("réserve", "small letters, digits and _"),
        ("class", "a name of Python itself"),
        ("random", "a name of Python itself"),
        ("tests", "there is a package 'tests' already"),
        ("order_sagas", "there is a package 'order_sagas' already"),
        ("click", "there is a package 'click' already"),
    ],
)
def test_an_invalid_or_used_package_name_is_refused(tmp_path, name, said):
    """The error says what is accepted; nothing is written."""
    result = new(name, "--into", tmp_path)

    assert 2 == result.exit_code
    assert said in " ".join(result.stderr.split())
    assert [] == list(tmp_path.iterdir())
