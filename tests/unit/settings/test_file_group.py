"""The group that shares the files: its requirements, and the errors without it."""

import grp
import os
import stat
from pathlib import Path

import pytest

from order_sagas.system.private_files import open_to_others, share_directories
from order_sagas.system.settings import SettingError, Settings

OURS = grp.getgrgid(os.getegid()).gr_name


def of_group(directory: Path, group: str) -> Settings:
    return Settings(database=f"sqlite:///{directory / 'orders.db'}", file_group=group)


def test_missing_directories_are_made_for_the_group(tmp_path: Path) -> None:
    """With the set-group-ID bit, so that new files in them belong to the group too."""
    share_directories(of_group(tmp_path / "a" / "b", OURS), "default")

    for each in ("a", "a/b", "a/b/logs"):
        status = (tmp_path / each).stat()
        assert (0o2770, os.getegid()) == (stat.S_IMODE(status.st_mode), status.st_gid)


def test_a_directory_that_is_not_shared_is_refused_and_not_changed(tmp_path: Path) -> None:
    """Because it was created by the user; the error has the command that shares it."""
    tmp_path.chmod(0o700)
    with pytest.raises(SettingError) as caught:
        share_directories(of_group(tmp_path, OURS), "flag --file-group")

    assert f"chgrp {OURS} {tmp_path} && chmod g+rwxs {tmp_path}" in str(caught.value)
    assert 0o700 == stat.S_IMODE(tmp_path.stat().st_mode)


def test_an_unknown_group_is_an_invalid_setting(tmp_path: Path) -> None:
    """The error names the setting and its source."""
    with pytest.raises(SettingError, match=r"file_group \(order-sagas.toml:3\).*nosuch"):
        share_directories(of_group(tmp_path, "nosuch"), "order-sagas.toml:3")


@pytest.mark.parametrize(("mode", "is_open"), [(0o755, False), (0o757, True), (0o1777, True)])
def test_a_directory_in_which_others_can_write_is_found(
    tmp_path: Path, mode: int, is_open: bool
) -> None:
    """Also one with the sticky bit: they can make files there that SQLite would read."""
    tmp_path.chmod(mode)

    assert is_open == (tmp_path in open_to_others(of_group(tmp_path, "")))
