"""Commands run in this process, on a database of the test's own."""

import json
import os

import pytest
from click.testing import CliRunner

from order_sagas.system.cli.main import main
from tests.support.embedded import EmbeddedSystem


@pytest.fixture
def system(tmp_path, monkeypatch):
    """A system on virtual time whose database the commands use too; it is not started yet."""
    for variable in [name for name in os.environ if name.startswith("ORDER_SAGAS_")]:
        monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    system = EmbeddedSystem(tmp_path)
    monkeypatch.setenv("ORDER_SAGAS_DATABASE", system.settings.database)
    monkeypatch.setenv("ORDER_SAGAS_PARTITIONS", str(system.settings.partitions))
    yield system
    system.__exit__()


@pytest.fixture
def run(system):
    """Runs a command; the result has `exit_code`, `stdout` and `stderr`."""

    def run(*args, stdin=None):
        result = CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def run_json(run):
    """Runs a command with --json; answers what it printed."""
    return lambda *args, **given: json.loads(run(*args, "--json", **given).stdout)
