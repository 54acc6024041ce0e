"""What a system listens on: what was asked for, two kinds of named Unix sockets, nothing else."""

import json
import os
import socket
import stat
from pathlib import Path
from urllib.request import urlopen

import pytest

from tests.integration.embedded.test_a_running_system import orders_file, output_of, stock_file
from tests.support.cli import Started, environment, order_sagas
from tests.support.http_service import HttpProcess
from tests.support.ports import free_port
from tests.support.sockets import Listener, listeners, tree
from tests.support.waiting import TIMEOUT, wait_until

pytestmark = pytest.mark.processes


def bells(directory: Path) -> set[Listener]:
    """The doorbells of the embedded log, one for each process that runs the system."""
    return {("unix", str(path)) for path in directory.glob("orders.db.bell.*")}


def mode(path: Path) -> str:
    """Type and permissions, as `ls` shows them."""
    return stat.filemode(path.stat().st_mode)


@pytest.mark.parametrize("metrics", [False, True], ids=["", "metrics"])
@pytest.mark.parametrize("http", [False, True], ids=["", "http"])
@pytest.mark.parametrize("workers", [1, 2])
def test_a_system_listens_on_what_was_asked_for(
    tmp_path: Path, workers: int, http: bool, metrics: bool
) -> None:
    """Checked at the start, and again after it has handled orders and status requests."""
    env = environment(tmp_path, workers=workers, log_dir=tmp_path / "logs")
    args: list[object] = []
    asked_for: set[Listener] = set()
    if http:
        address = f"127.0.0.1:{free_port()}"
        args += ["--http", address]
        asked_for.add(("tcp", address))
    if metrics:
        address = f"127.0.0.1:{free_port()}"
        args += ["--metrics", address]
        asked_for.add(("tcp", address))
    if workers > 1 or http:
        asked_for.add(("unix", str(tmp_path / "logs" / "run" / "1" / "supervisor.sock")))
    with Started(tmp_path, env, *args) as system:
        wait_until(
            lambda: len(bells(tmp_path)) == workers and asked_for <= listeners(system.process.pid),
            "every process to run",
        )
        expected = asked_for | bells(tmp_path)
        at_first = listeners(system.process.pid)
        order_sagas("stock", "load", stock_file(tmp_path, 20), env=env)
        output_of(env, "submit", orders_file(tmp_path, 20), "--wait")
        order_sagas("status", env=env)
        if metrics:
            with urlopen(f"http://{address}/metrics") as response:
                response.read()
        in_the_end = listeners(system.process.pid)

        assert 0 == system.stop()
    assert expected == at_first
    assert expected == in_the_end


def test_http_alone_listens_on_its_address(tmp_path: Path) -> None:
    """It has no supervisor, and runs no worker."""
    env = environment(tmp_path, log_dir=tmp_path / "logs")
    with HttpProcess(tmp_path, env) as http:
        found = listeners(http.process.pid)

    assert {("tcp", f"127.0.0.1:{http.port}")} == found


def test_the_control_socket_is_for_its_owner_alone(tmp_path: Path) -> None:
    """Nobody else may enter its directory or open it."""
    env = environment(tmp_path, workers=2, log_dir=tmp_path / "logs")
    folder = tmp_path / "logs" / "run" / "1"
    with Started(tmp_path, env) as system:
        modes = [
            stat.filemode(each.stat().st_mode) for each in (folder, folder / "supervisor.sock")
        ]

        assert 0 == system.stop()
    assert ["drwx------", "srw-------"] == modes
    assert ["supervisor.lock"] == [each.name for each in folder.iterdir()]


def test_a_path_too_long_for_a_socket_gets_one_in_a_private_directory(tmp_path: Path) -> None:
    """Under XDG_RUNTIME_DIR if it is set; the registration file says where. Nothing is left
    behind."""
    runtime = Path(os.environ.get("TMPDIR", "/tmp")) / f"xdg-{os.getpid()}"
    runtime.mkdir(mode=0o700)
    logs = tmp_path / ("long-" * 30)
    env = {
        **environment(tmp_path, workers=2, log_dir=logs),
        "XDG_RUNTIME_DIR": str(runtime),
    }
    try:
        with Started(tmp_path, env) as system:
            (place,) = runtime.glob("*/supervisor.sock")
            modes = [mode(place.parent), mode(place)]
            card = json.loads((logs / "run" / "1" / "supervisor.json").read_text())
            status = order_sagas("status", "--json", env=env)
            stopped = order_sagas("stop", env=env)

            assert 0 == system.process.wait(60)
        left = list(runtime.iterdir())
    finally:
        runtime.rmdir()
    assert ["drwx------", "srw-------"] == modes
    assert str(place) == card["socket"]
    assert 2 == len(json.loads(status.stdout)["workers"])
    assert 0 == stopped.returncode
    assert [] == left


def test_strangers_on_the_control_socket_change_nothing(tmp_path: Path) -> None:
    """Pickles, garbage, and clients that say nothing: nothing is run, and the run goes on."""
    env = environment(tmp_path, workers=2, log_dir=tmp_path / "logs")
    trap = tmp_path / "executed"
    pickled = f"cposix\nsystem\n(S'touch {trap}'\ntR.".encode()
    place = str(tmp_path / "logs" / "run" / "1" / "supervisor.sock")
    with Started(tmp_path, env) as system:
        silent = [connected(place) for _ in range(200)]
        for sent in (
            pickled,
            b"%d\n" % len(pickled) + pickled,  # as Thespian frames it
            len(pickled).to_bytes(4, "big") + pickled,
            b"\xff" * 1000,
            b"\0\0\0\x05",
            b"",
        ):
            with connected(place) as client:
                client.sendall(sent)
                client.shutdown(socket.SHUT_WR)
                answer = client.recv(1)

            assert b"" == answer
        order_sagas("stock", "load", stock_file(tmp_path, 20), env=env)
        summary = output_of(env, "submit", orders_file(tmp_path, 20), "--wait")
        status = output_of(env, "status")
        for client in silent:
            client.close()

        assert 0 == order_sagas("stop", env=env).returncode
        assert 0 == system.process.wait(60)
    assert [("COMPLETED", 20)] == [(each["status"], each["orders"]) for each in summary["outcomes"]]
    assert [0, 1] == [worker["number"] for worker in status["workers"]]
    assert [0, 0] == [worker["restarts"] for worker in status["workers"]]
    assert not trap.exists()


def connected(place: str) -> socket.socket:
    """A client of a Unix socket."""
    client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    client.connect(place)
    client.settimeout(TIMEOUT)
    return client


def test_secrets_are_on_no_command_line_and_in_no_environment(tmp_path: Path) -> None:
    """They reach the workers over their channels."""
    env = environment(tmp_path, workers=2, log_dir=tmp_path / "logs")
    config = tmp_path / "order-sagas.toml"
    config.write_text('smtp_password = "swordfish"\n')
    env["ORDER_SAGAS_CONFIG"] = str(config)
    with Started(tmp_path, env) as system:
        wait_until(lambda: len(bells(tmp_path)) == 2, "both workers to run")
        shown = [
            Path(f"/proc/{process.pid}/{file}").read_bytes()
            for process in tree(system.process.pid)
            for file in ("cmdline", "environ")
        ]

        assert 0 == system.stop()
    assert 6 == len(shown)
    assert not any(b"swordfish" in each for each in shown)


def test_thespians_own_log_is_not_written(tmp_path: Path) -> None:
    """It has a well-known name in a directory that every user may write to."""
    log = tmp_path / "thespian.log"
    env = {
        **environment(tmp_path, workers=2, log_dir=tmp_path / "logs"),
        "THESPLOG_FILE": str(log),
    }
    with Started(tmp_path, env, "--http", f"127.0.0.1:{free_port()}") as system:
        wait_until(lambda: len(bells(tmp_path)) == 2, "both workers to run")
        order_sagas("status", env=env)
        with HttpProcess(tmp_path, env) as http:
            http.stop()

        assert 0 == order_sagas("stop", env=env).returncode
        assert 0 == system.process.wait(60)
    assert not log.exists()
