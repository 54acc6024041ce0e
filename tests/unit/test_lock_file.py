"""The lock file of a development environment fits setup.cfg, and names no place on the network."""

import configparser
import re
from pathlib import Path

import pytest
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parents[2]
LOCK = (ROOT / "requirements-dev.lock").read_text(encoding="utf-8")
LINES = [line for line in LOCK.splitlines() if line and not line.lstrip().startswith("#")]
PINNED = re.compile(
    r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;]+)(?: ; (?P<marker>[^\\]+?))? \\$"
)


def declared() -> list[Requirement]:
    """What setup.cfg asks for: to run, and for development."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    listed = config["options"]["install_requires"] + config["options.extras_require"]["dev"]
    lines = (line.strip() for line in listed.splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def locked() -> dict[str, list[tuple[Version, str]]]:
    """Each distribution in the lock file: its versions, each with the marker that it is for."""
    found: dict[str, list[tuple[Version, str]]] = {}
    for line in LINES:
        if match := PINNED.match(line):
            name = canonicalize_name(match["name"])
            found.setdefault(name, []).append((Version(match["version"]), match["marker"] or ""))
    return found


@pytest.mark.parametrize("requirement", declared(), ids=str)
def test_the_lock_file_has_a_version_that_the_bounds_allow(requirement: Requirement) -> None:
    """After a change to setup.cfg, `make lock` has to be run."""
    versions = locked().get(canonicalize_name(requirement.name), [])

    assert versions, f"{requirement.name} is not in requirements-dev.lock: run `make lock`"
    wrong = [str(version) for version, _ in versions if version not in requirement.specifier]
    assert not wrong, f"{requirement} does not allow {wrong}: run `make lock`"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lock_file_serves_every_supported_python(python: str) -> None:
    """Exactly one version of each direct dependency applies."""
    environment = {"python_version": python, "python_full_version": f"{python}.0"}
    for requirement in declared():
        applying = [
            version
            for version, marker in locked()[canonicalize_name(requirement.name)]
            if not marker or Marker(marker).evaluate(environment)
        ]

        assert 1 == len(applying), f"{requirement.name} on Python {python}: {applying}"


def test_every_line_of_the_lock_file_is_a_version_or_a_hash() -> None:
    """No URL, no index and no path: where packages come from is the installing machine's choice."""
    other = [
        line
        for line in LINES
        if not PINNED.match(line)
        and not re.fullmatch(r"    --hash=sha256:[0-9a-f]{64}(?: \\)?", line)
    ]

    assert [] == other
    assert "://" not in LOCK
