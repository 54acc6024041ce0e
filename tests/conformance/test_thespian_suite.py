"""Thespian's own test suite passes on our base, but for what one process cannot have."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

CASES = 360
"""The cases that Thespian 4.0 runs on its simple base, which ours stands in for."""

# Module and reason as the suite gives it: how many cases, and why they cannot run here.
_ONE_PROCESS = "Functionality not supported for simpleSystemBase system base"
EXPLAINED = {
    ("test_HAConvention", _ONE_PROCESS): (4, "conventions join several systems"),
    ("test_actorSignals", "Cannot send signals to primary testing process"): (
        2,
        "a signal would kill the test itself: actors are not processes",
    ),
    ("test_manyActorSystems", _ONE_PROCESS): (13, "conventions join several systems"),
    ("test_multipleActorSystems", _ONE_PROCESS): (30, "conventions join several systems"),
    ("test_preRegistration", _ONE_PROCESS): (6, "conventions join several systems"),
    ("test_runcommand", _ONE_PROCESS): (1, "waits on file descriptors, as only processes can"),
    ("test_sourceLoading", _ONE_PROCESS): (13, "sources travel between systems of a convention"),
    ("test_sourceLoading", "Python 2 version imports"): (1, "Python 2 only"),
    ("test_updateSystemCapabilities", _ONE_PROCESS): (18, "conventions join several systems"),
}

WORKERS = 12
"""More than there are cores: the suite sleeps nearly all of the time."""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> list[ElementTree.Element]:
    """The outcome of every case, from a run of the suite in processes of its own."""
    folder = tmp_path_factory.mktemp("conformance")
    junit = folder / "report.xml"
    root = Path(__file__).parents[2]
    # Not what an enclosing pytest run has set for its own workers.
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")}
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--pyargs", "thespian.test"),
            *("-p", "tests.conformance.swap_base", "-p", "no:cacheprovider", "-c", os.devnull),
            *("-n", str(WORKERS), "--maxschedchunk", "1", "-q", f"--junitxml={junit}"),
        ],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert junit.exists(), run.stdout + run.stderr
    return list(ElementTree.parse(junit).getroot().iter("testcase"))


def _outcome(case: ElementTree.Element) -> str:
    for child in case:
        if child.tag in ("failure", "error", "skipped"):
            return child.tag
    return "passed"


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.timeout(600)
@pytest.mark.xdist_group("conformance")
class TestThespianSuite:
    """One run of the suite, seen from three sides."""

    def test_no_case_fails(self, report: list[ElementTree.Element]) -> None:
        """Whatever is not skipped passes."""
        failed = [
            f"{case.get('classname')}::{case.get('name')}"
            for case in report
            if _outcome(case) in ("failure", "error")
        ]

        assert [] == failed

    def test_the_whole_suite_has_run(self, report: list[ElementTree.Element]) -> None:
        """Every case was found, and as many pass as can."""
        outcomes = Counter(map(_outcome, report))

        skips = sum(count for count, _ in EXPLAINED.values())
        assert CASES == len(report)
        assert CASES - skips == outcomes["passed"]

    def test_every_skip_is_explained(self, report: list[ElementTree.Element]) -> None:
        """No more cases are skipped, and for no other reasons, than the list above says."""
        skipped = Counter(
            (_module(case), child.get("message", ""))
            for case in report
            for child in case
            if child.tag == "skipped"
        )

        unexplained = {
            key: count for key, count in skipped.items() if count > EXPLAINED.get(key, (0, ""))[0]
        }
        assert {} == unexplained


def _module(case: ElementTree.Element) -> str:
    parts = (case.get("classname") or "").split(".")
    return next(part for part in parts if part.startswith("test_"))
