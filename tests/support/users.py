"""Runs programs as the user `nobody`, to test file permissions."""

import os
import shutil
import subprocess
import sys

import pytest

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="only root can be another user, and setpriv makes it one",
)
NOBODY = 65534


def as_nobody(program: str) -> subprocess.CompletedProcess[str]:
    """Run a Python program (standard library only) as an unprivileged user."""
    return subprocess.run(
        ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
         shutil.which("python3", path="/usr/bin:/bin") or sys.executable, "-c", program],
        capture_output=True, text=True, check=False, cwd="/",
    )  # fmt: skip
