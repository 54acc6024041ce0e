"""Thespian's own test suite passes on our base, except for what one process cannot do."""

import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections import Counter
from pathlib import Path

import pytest

CASES = 360
"""The number of cases that Thespian 4.0 runs on its simple base, which ours replaces."""

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


@pytest.mark.slow
@pytest.mark.processes
@pytest.mark.timeout(600)
def test_thespians_own_suite_passes(tmp_path: Path) -> None:
    """Nothing fails, nothing is missing, and only the cases listed above are skipped. One test,
    because a run of the suite takes a minute.
    """
    report = _run_suite(tmp_path)

    outcomes: dict[str, list[str]] = {}
    skips: Counter[tuple[str, str]] = Counter()
    for case in report:
        outcome, message = _outcome(case)
        outcomes.setdefault(outcome, []).append(f"{case.get('classname')}::{case.get('name')}")
        if outcome == "skipped":
            skips[_module(case), message] += 1

    allowed = {key: count for key, (count, _) in EXPLAINED.items()}
    assert [] == outcomes.get("failure", []) + outcomes.get("error", [])
    assert {} == {key: count for key, count in skips.items() if count > allowed.get(key, 0)}
    assert CASES == len(report)
    assert CASES - sum(allowed.values()) == len(outcomes["passed"])


def _run_suite(folder: Path) -> list[ElementTree.Element]:
    """The outcome of every case, from a run of the suite in processes of its own."""
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


def _outcome(case: ElementTree.Element) -> tuple[str, str]:
    for child in case:
        if child.tag in ("failure", "error", "skipped"):
            return child.tag, child.get("message", "")
    return "passed", ""


def _module(case: ElementTree.Element) -> str:
    parts = (case.get("classname") or "").split(".")
    return next(part for part in parts if part.startswith("test_"))
