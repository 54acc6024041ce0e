"""Tests of one group run in one worker."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
TESTS = """
import os
import pytest

@pytest.fixture(scope="module", params=[pytest.param("a", marks=pytest.mark.xdist_group("of a"))])
def way(request):
    return request.param

@pytest.mark.parametrize("number", range(8))
def test_of_a_group(way, number, tmp_path_factory):
    worker = os.environ["PYTEST_XDIST_WORKER"]
    with open(f"workers-{worker}", "a") as file:
        file.write("x")
"""


def test_tests_of_one_group_run_in_one_worker(tmp_path: Path) -> None:
    """Also if the mark is that of a fixture's parameter."""
    (tmp_path / "test_groups.py").write_text(TESTS)
    plugins = ["-p", "tests.support.xdist_groups", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", "-n", "2", "--dist", "loadgroup", *plugins]
    done = subprocess.run(
        command, cwd=tmp_path, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert 0 == done.returncode, done.stdout + done.stderr
    (written,) = tmp_path.glob("workers-*")
    assert "x" * 8 == written.read_text()
