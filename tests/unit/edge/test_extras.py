"""The error about a missing optional dependency is one line with a command that can be pasted."""

import configparser
import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from order_sagas.bridges.extras import MODULES, MissingExtraError, install_command, need
from tests.support.cli import ROOT, environment

SETUP = configparser.ConfigParser()
SETUP.read(ROOT / "setup.cfg")

HIDING = """
import sys

class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {hidden!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Hidden())
sys.argv[0] = "order-sagas"
from order_sagas.system.cli.main import main
main()
"""
POSTGRES = "postgresql://user@127.0.0.1:1/orders"


def without(hidden, directory, *args):
    """Run a command in a process that does not find these modules."""
    return subprocess.run(
        [sys.executable, "-c", HIDING.format(hidden=set(hidden)), *args],
        env=environment(directory), cwd=directory, capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.processes
@pytest.mark.parametrize(
    ("extra", "hidden", "args"),
    [
        ("postgres", ["psycopg"], ["orders", "--database", POSTGRES]),
        ("postgres", ["psycopg"], ["status", "--database", POSTGRES]),
        ("postgres", ["psycopg_c", "psycopg_binary", "ctypes"], ["sagas", "--database", POSTGRES]),
        ("http", ["starlette"], ["http"]),
        ("http", ["uvloop"], ["http", "token", "shop"]),
        ("http", ["uvicorn", "httptools"], ["start", "--http", "127.0.0.1:0"]),
        ("metrics", ["prometheus_client"], ["start", "--metrics", "127.0.0.1:0"]),
        ("otel", ["opentelemetry"], ["start", "--otel-endpoint", "http://127.0.0.1:1"]),
    ],
)
def test_a_missing_extra_is_reported_with_its_install_command(tmp_path, extra, hidden, args):
    """One line and exit code 1, without a traceback."""
    done = without(hidden, tmp_path, *args)

    assert (1, "") == (done.returncode, done.stdout), done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: ")
    command = shlex.split(line.partition("-m pip")[2])
    assert "install" == command[0]
    assert command[-1].endswith(f"[{extra}]"), line
    assert Path(command[-1].partition("[")[0]) == ROOT, "where this was cloned, editable"
    assert "-e" == command[-2]


@pytest.mark.processes
def test_simulate_needs_no_extra(tmp_path):
    """Not even what the extra `harness` brings, which is for tests."""
    done = without(["pytest", "hypothesis"], tmp_path, "simulate", "--seed", "1", "--orders", "2")

    assert 0 == done.returncode, done.stderr


def test_every_module_belongs_to_a_package_of_its_extra():
    """The modules that are checked are those that the extra installs."""
    extras = SETUP["options.extras_require"]
    for extra, modules in MODULES.items():
        packages = extras[extra].replace("-", "_")
        for module in modules:
            assert module.split(".")[0] in packages


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Make metadata of this distribution, as pip does, and hide the real one."""

    def installed(direct_url=None, requires=()):
        info = tmp_path / "order_sagas-0.1.dist-info"
        info.mkdir()
        lines = [f"Requires-Dist: {each}" for each in requires]
        head = ["Metadata-Version: 2.1", "Name: order-sagas", "Version: 0.1"]
        (info / "METADATA").write_text("\n".join([*head, *lines, "", ""]))
        if direct_url is not None:
            (info / "direct_url.json").write_text(json.dumps(direct_url))

    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.setattr(sys, "executable", "/opt/venv/bin/python")
    return installed


def pip(*words):
    """The command to paste."""
    return shlex.join(["/opt/venv/bin/python", "-m", "pip", "install", *words])


def test_a_clone_is_installed_from_again_and_stays_editable(tmp_path, installed, monkeypatch):
    """By its path; there, by the shortest one."""
    clone = tmp_path / "my clone"
    clone.mkdir()
    installed({"url": clone.as_uri(), "dir_info": {"editable": True}})

    assert pip("-e", f"{clone}[http]") == install_command("http")
    monkeypatch.chdir(clone)
    assert pip("-e", ".[http]") == install_command("http")


def test_a_folder_or_a_wheel_is_installed_from_again(tmp_path, installed):
    """With the extra."""
    wheel = tmp_path / "order_sagas-0.1-py3-none-any.whl"
    wheel.touch()
    installed({"url": wheel.as_uri(), "archive_info": {}})

    assert pip(f"order-sagas[otel] @ {wheel.as_uri()}") == install_command("otel")


def test_a_repository_is_installed_from_again_at_the_same_commit(installed):
    """In the form that pip takes."""
    vcs = {"vcs": "git", "commit_id": "abc123"}
    installed({"url": "https://example.org/order-sagas.git", "vcs_info": vcs})

    wanted = "order-sagas[http] @ git+https://example.org/order-sagas.git@abc123"
    assert pip(wanted) == install_command("http")


REQUIRED = (
    "click",
    'psycopg[binary]>=3.2; extra == "postgres"',
    'starlette; extra == "http"',
    "uvicorn>=0.30; python_version > '3' and extra == 'http'",
)


@pytest.mark.parametrize("direct_url", [None, {"url": "file:///gone/x.whl", "archive_info": {}}])
def test_where_the_origin_is_unknown_or_gone_the_packages_are_named(installed, direct_url):
    """Those of the extra alone, as the metadata names them."""
    installed(direct_url, REQUIRED)

    assert pip("starlette", "uvicorn>=0.30") == install_command("http")
    assert pip("psycopg[binary]>=3.2") == install_command("postgres")


def test_without_metadata_the_modules_are_named(installed):
    """As where the source is only on the path."""
    assert pip("prometheus-client") == install_command("metrics")


def test_what_is_there_is_not_asked_for():
    """Everything is installed where the tests run."""
    for extra in MODULES:
        need(extra)


def test_an_error_of_it_is_an_import_error_too():
    """For programs that use the parts as a library."""
    assert issubclass(MissingExtraError, ImportError)
