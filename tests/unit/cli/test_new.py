"""`order-sagas new`: what it writes, and the names and folders that it refuses."""

from importlib import resources
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from order_sagas.system.cli.main import main
from tests.support.cli import ROOT


def run(*args: str) -> Result:
    """Run a command."""
    return CliRunner().invoke(main, list(args))


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_file_is_written_with_the_name_of_the_project(folder: Path) -> None:
    """And none is left out."""
    done = run("new", "sea_trips")
    written = sorted(file for file in (folder / "sea_trips").rglob("*") if file.is_file())
    template = resources.files("order_sagas.system.new_project") / "template"
    templates = [file for file in Path(str(template)).rglob("*.tmpl") if file.is_file()]

    assert 0 == done.exit_code
    assert len(templates) == len(written) > 10
    assert folder / "sea_trips" / "sea_trips" / "app.py" in written
    assert not [file for file in written if "PROJECT" in file.read_text() + file.name]
    assert "Next: cd sea_trips && python -m pytest" in done.stdout


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("my-trips", "use small letters, digits and _"),
        ("Trips", "use small letters, digits and _"),
        ("1st", "use small letters, digits and _"),
        ("class", "Python or the project uses itself"),
        ("json", "Python or the project uses itself"),
        ("tests", "Python or the project uses itself"),
        ("order_sagas", "is the name of an installed package"),
    ],
)
def test_a_name_that_no_package_can_have_is_refused(folder: Path, name: str, problem: str) -> None:
    """With what is accepted, and nothing is written."""
    done = run("new", name)

    assert 2 == done.exit_code
    assert problem in done.stderr
    assert [] == [*folder.iterdir()]


def test_a_folder_that_holds_something_is_left_alone(folder: Path) -> None:
    """Whatever it is; an empty one is used."""
    (folder / "taken").mkdir()
    (folder / "taken" / "diary.txt").write_text("mine")
    (folder / "empty").mkdir()
    refused = run("new", "travel", "--into", "taken")
    done = run("new", "travel", "--into", "empty")

    assert 1 == refused.exit_code
    assert "it is there already, and not empty: taken" in refused.stderr
    assert ["diary.txt"] == [each.name for each in (folder / "taken").iterdir()]
    assert 0 == done.exit_code


def test_the_templates_are_in_the_distribution() -> None:
    """Each folder of them has a pattern in the package data."""
    data = (ROOT / "setup.cfg").read_text(encoding="utf-8").partition("[options.package_data]")[2]
    template = ROOT / "system" / "new_project"
    patterns = [line.strip() for line in data.splitlines() if line.strip().startswith("template/")]
    found = {file for pattern in patterns for file in template.glob(pattern) if file.is_file()}

    assert {*template.rglob("*.tmpl")} == found
