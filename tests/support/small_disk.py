"""A small file system, mounted for one test, that can be filled and freed."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.support.required import skip_or_fail

BLOCK = b"\0" * 4096


class SmallDisk:
    """A mounted tmpfs of a few MB."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filler = path / "filler"

    def fill(self) -> None:
        """Write until not a byte is left."""
        with self._filler.open("ab", buffering=0) as file:
            try:
                while file.write(BLOCK) == len(BLOCK):
                    pass
            except OSError:
                return

    def free(self) -> None:
        """Give back what `fill` took."""
        self._filler.unlink()


@cache
def can_mount() -> bool:
    """Return True if this process, or `sudo` without a password, can mount a file system."""
    with TemporaryDirectory() as directory:
        if _mount(Path(directory), 1).returncode:
            return False
        _run("umount", "-l", directory).check_returncode()
    return True


@contextmanager
def small_disk(directory: Path, megabytes: int = 8) -> Iterator[SmallDisk]:
    """Mount a tmpfs at this new directory.

    Skips the test if that is not allowed, or fails it if `REQUIRE_MOUNT=1`.
    """
    directory.mkdir()
    if not can_mount():
        skip_or_fail("REQUIRE_MOUNT", "No file system can be mounted here.")
    _mount(directory, megabytes).check_returncode()
    try:
        yield SmallDisk(directory)
    finally:
        _run("umount", "-l", str(directory)).check_returncode()


def _mount(directory: Path, megabytes: int) -> "subprocess.CompletedProcess[bytes]":
    owner = f"uid={os.getuid()},gid={os.getgid()},mode=0755"
    options = f"size={megabytes}m,{owner}"
    return _run("mount", "-t", "tmpfs", "-o", options, "tmpfs", str(directory))


def _run(*command: str) -> "subprocess.CompletedProcess[bytes]":
    as_root = () if os.geteuid() == 0 else ("sudo", "-n")
    try:
        return subprocess.run([*as_root, *command], capture_output=True)
    except FileNotFoundError as error:
        return subprocess.CompletedProcess(command, 127, b"", str(error).encode())
