"""Commands run in this process, on a database of the test's own."""

import json
import os

import pytest
from click.testing import CliRunner

from order_sagas.bridges.operations import PauseOperations
from order_sagas.system.cli.main import main
from tests.support.embedded import EmbeddedSystem, an_order


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
def busy(system, tmp_path):
    """The system with an order, stock, a dead letter, a pause and log lines, stopped again."""
    system.start()
    system.load({"PEN": 9})
    system.put(an_order("A", customer_id="a-customer-with-a-name-that-is-longer-than-a-column"))
    system.put_raw("payment-events", b"no JSON")
    system.run()
    system.stop()
    PauseOperations(system.log, ["stock"]).pause("stock", "ada", "the warehouse is counted " * 5)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "order-sagas.jsonl").write_bytes(b"\n".join([*system.logged.lines, b""]))
    return system


@pytest.fixture
def run(system):
    """Run a command; the result has `exit_code`, `stdout` and `stderr`."""

    def run(*args, stdin=None):
        result = CliRunner().invoke(main, [str(arg) for arg in args], input=stdin)
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def run_json(run):
    """Run a command with --json; return its parsed output."""
    return lambda *args, **given: json.loads(run(*args, "--json", **given).stdout)
