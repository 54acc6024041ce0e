"""The command line as a whole: help, versions, errors, exit codes."""

import pytest

from order_sagas.system.cli.commands import SECTIONS
from order_sagas.system.cli.main import main


def test_help_names_every_command_in_a_section(run):
    """Otherwise users would not find it."""
    shown = run("--help")

    assert 0 == shown.exit_code
    assert set(main.commands) == {name for names in SECTIONS.values() for name in names}
    assert all(f"\n  {name} " in shown.stdout for name in main.commands)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_every_command_has_a_help_text(run, name):
    """With more than its name."""
    shown = run(name, "--help")

    assert 0 == shown.exit_code
    assert len(shown.stdout.splitlines()) > 5


def test_the_version_is_printed(run):
    """By the name of the program."""
    assert run("--version").stdout.startswith("order-sagas, version ")


@pytest.mark.parametrize(
    "args",
    [
        ("orders",),
        ("sagas",),
        ("show", "o-1"),
        ("stock", "show"),
        ("cancel", "o-1", "--why", "x"),
        ("pause", "stock", "--why", "x"),
        ("unpause", "stock"),
        ("signal", "place-order/o-1", "X"),
        ("dead-letters", "replay", "--all"),
        ("actions", "approve", "1"),
        ("deadlines", "repair"),
        ("prune", "--older-than", "9d"),
    ],
    ids=lambda args: args[0],
)
def test_a_missing_database_is_an_error_and_is_not_created(run, tmp_path, args):
    """A mistyped path must not look like an empty system."""
    result = run(*args, "--database", f"sqlite:///{tmp_path / 'mistyped.db'}")

    assert 1 == result.exit_code
    assert "there is no database at" in result.stderr
    assert 1 == len(result.stderr.splitlines())
    assert not (tmp_path / "mistyped.db").exists()


def test_a_file_that_is_no_database_is_an_error_of_one_line(run, tmp_path):
    """Without a traceback."""
    (tmp_path / "photo.db").write_bytes(b"not a database at all" * 100)
    result = run("orders", "--database", f"sqlite:///{tmp_path / 'photo.db'}")

    assert (1, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert str(tmp_path / "photo.db") in result.stderr


@pytest.mark.parametrize("args", [("orders",), ("pause", "stock", "--why", "x")])
def test_a_database_that_cannot_be_opened_is_named(run, tmp_path, args):
    """Here it is a directory."""
    result = run(*args, "--database", f"sqlite:///{tmp_path}")

    assert (1, 1) == (result.exit_code, len(result.stderr.splitlines()))
    assert str(tmp_path) in result.stderr


def test_a_different_number_of_partitions_is_refused(run, system):
    """Records would be in partitions that their owners do not read."""
    result = run("inject", "order-events", "{}", "--raw", "--partitions", "5")

    assert 1 == result.exit_code
    assert "partitions = 4" in result.stderr


@pytest.mark.parametrize("args", [("orders", "--status", "LOST"), ("submit", "no.jsonl"), ("x",)])
def test_wrong_usage_is_exit_code_2(run, args):
    """The usual exit code."""
    assert 2 == run(*args).exit_code


def test_an_interrupted_client_is_exit_code_130(run, monkeypatch):
    """As in shells."""

    def interrupt(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("order_sagas.system.cli.orders.queries.orders_page", interrupt)

    assert 130 == run("orders").exit_code
