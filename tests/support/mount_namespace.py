"""Runs tests that mount a file system in a namespace of their own if the user may not mount."""

import os
import subprocess
import sys
from functools import cache
from tempfile import TemporaryDirectory

import pytest

from tests.support.small_disk import can_mount

_IN_A_NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


@cache
def _can_mount_in_a_namespace() -> bool:
    with TemporaryDirectory() as directory:
        command = [*_IN_A_NAMESPACE, "mount", "-t", "tmpfs", "tmpfs", directory]
        try:
            return subprocess.run(command, capture_output=True).returncode == 0
        except FileNotFoundError:
            return False


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a test with the mark `mounts` by a process that is root in a namespace.

    Only if that is needed and possible: there, it has the files and processes of its user.
    """
    if not pyfuncitem.get_closest_marker("mounts") or can_mount():
        return None
    if not _can_mount_in_a_namespace():
        return None
    own = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    own["REQUIRE_MOUNT"] = "1"  # a test that is skipped there would pass here
    pytest_alone = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*_IN_A_NAMESPACE, *pytest_alone, pyfuncitem.nodeid],
        cwd=pyfuncitem.config.rootpath, env=own, capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        pytest.fail(done.stdout + done.stderr, pytrace=False)
    return True
