"""Files of a run on the disk, and who may read, write, lock and ring them."""

import grp
import os
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import Started, environment, number, order_sagas
from tests.support.http_service import HttpProcess
from tests.support.users import as_nobody, needs_root
from tests.support.waiting import wait_until

pytestmark = pytest.mark.processes

SENT = "SELECT count(*) FROM notifications WHERE status = 'SENT'"


@pytest.fixture(params=[0o022, 0o000], ids=["umask 022", "no umask"])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    """The umask of the user's shell, which every process of the test inherits."""
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory with a short path, so that the doorbell is in it; everybody may enter it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def settings(directory: Path, **more: object) -> dict[str, str]:
    """Settings with everything beside a database, in a directory that does not exist yet."""
    env = environment(directory, notification_channel="maildir", **more)
    return {**env, "ORDER_SAGAS_DATABASE": f"sqlite:///{directory / 'data' / 'orders.db'}"}


def whole_run(directory: Path, env: dict[str, str], *args: object) -> dict[Path, os.stat_result]:
    """The files in the middle of a run that uses every kind of file, and after it."""
    order_sagas("stock", "load", stock_file(directory, 10), env=env)
    order_sagas("submit", orders_file(directory, 10), env=env)
    with Started(directory, env, *args) as system, HttpProcess(directory, env) as http:
        wait_until(lambda: number(SENT, env) == 10, "customers to be told")
        found = files(directory / "data")
        assert 0 == http.stop()
        assert 0 == system.stop()
    archive = directory / "archive.jsonl"
    done = order_sagas("prune", "--older-than", "1ms", "--archive", archive, env=env)
    assert 0 == done.returncode
    return {**found, **files(directory / "data"), archive: archive.stat()}


def files(directory: Path) -> dict[Path, os.stat_result]:
    """Everything in a directory, and the directory itself."""
    found = {}
    for path in (directory, *directory.rglob("*")):
        try:
            found[path] = path.lstat()
        except FileNotFoundError:
            continue  # a mail on its way
    return found


def kinds(found: dict[Path, os.stat_result]) -> set[str]:
    """The kinds of the files that were found."""
    return {path.name.partition(".bell.")[0] for path in found} | {
        path.suffix for path in found if path.suffix
    }


@pytest.mark.parametrize("workers", [1, 2])
def test_all_files_are_private_to_their_owner(directory: Path, umask: int, workers: int) -> None:
    """With any umask of the shell."""
    env = settings(directory, workers=workers)
    found = whole_run(directory, env)

    assert {"orders.db-wal", "orders.db-shm", "orders.db.lock", ".jsonl", ".order-sagas"} <= kinds(
        found
    )
    assert any(stat.S_ISSOCK(each.st_mode) for each in found.values())
    assert {} == {
        path.name: oct(each.st_mode) for path, each in found.items() if each.st_mode & 0o077
    }


def another_group() -> str:
    """A group other than the default one that this user can give files to."""
    ours = [each for each in grp.getgrall() if each.gr_gid != os.getegid()]
    if os.geteuid() != 0:
        ours = [each for each in ours if each.gr_gid in os.getgroups()]
    if not ours:
        pytest.skip("this user is in one group only")
    return ours[-1].gr_name


def test_a_group_can_share_everything(directory: Path, umask: int) -> None:
    """It may read and write all of it but the folder of the run, which controls the processes."""
    group = another_group()
    env = settings(directory, file_group=group, workers=2)
    found = whole_run(directory, env)
    archive = directory / "archive.jsonl"
    assert 0 == found.pop(archive).st_mode & 0o007  # where it is placed is the user's choice
    of_the_run = [path for path in found if "run" in path.relative_to(directory).parts]
    assert of_the_run
    assert [] == [path for path in of_the_run if "1" in path.parts and found[path].st_mode & 0o077]
    found = {path: each for path, each in found.items() if path not in of_the_run}

    assert {"orders.db-wal", "orders.db-shm", "orders.db.lock", ".jsonl"} <= kinds(found)
    assert {grp.getgrnam(group).gr_gid} == {each.st_gid for each in found.values()}
    for path, each in found.items():
        wanted = 0o2770 if stat.S_ISDIR(each.st_mode) else 0o660
        assert (path.name, oct(wanted)) == (path.name, oct(stat.S_IMODE(each.st_mode)))


def test_files_of_a_former_version_are_made_private_at_the_start(directory: Path) -> None:
    """Files, and directories with default names; one that the user chose is not changed."""
    env = settings(directory)
    whole_run(directory, env)
    for path in files(directory / "data"):
        path.chmod(0o755 if path.is_dir() else 0o666)
    (directory / "data").chmod(0o777)
    with Started(directory, env) as system:
        found = files(directory / "data")
        assert 0o777 == stat.S_IMODE(found.pop(directory / "data").st_mode)
        assert 0 == system.stop()
    log = (directory / "data" / "logs" / "order-sagas.jsonl").read_text()

    assert {} == {
        str(path): oct(each.st_mode) for path, each in found.items() if each.st_mode & 0o077
    }
    assert 1 == log.count('"event":"files.tightened"')
    assert log.count('"event":"directory.writable_by_others"') == 1


@needs_root
def test_another_user_can_read_write_lock_and_ring_nothing(directory: Path) -> None:
    """In a directory that the user chose, and that others may enter."""
    (directory / "data").mkdir()
    (directory / "data").chmod(0o755)
    env = settings(directory)
    order_sagas("stock", "load", stock_file(directory, 10), env=env)
    with Started(directory, env) as system:
        output_of(env, "submit", orders_file(directory, 10), "--wait")
        found = [path for path in files(directory / "data") if not path.is_dir()]
        (bell,) = (path for path in found if ".bell." in path.name)
        for path in found:
            for mode in ("rb", "r+b"):  # to lock a file takes one of them
                done = as_nobody(f"open({str(path)!r}, {mode!r})")
                assert "PermissionError" in done.stderr or path == bell
        done = as_nobody(
            "import socket; s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)\n"
            f"s.sendto(b'c', {str(bell)!r})"
        )
        assert "PermissionError" in done.stderr
        summary = output_of(env, "submit", orders_file(directory, 5, "more.jsonl"), "--wait")

        assert 5 == sum(each["orders"] for each in summary["outcomes"])
        assert 0 == system.stop()
