"""Suggested commands are complete: quoted, with the flags that identify the same system."""

import ast
import re
import shlex

import click
import pytest
from click.testing import CliRunner

from order_sagas.actors.sagas.definition import hours
from order_sagas.bridges.errors import NoDatabaseError, OldDatabaseError
from order_sagas.bridges.http.config import NoTokensError
from order_sagas.bridges.kafka.errors import TopicMissingError
from order_sagas.system.cli.main import main
from order_sagas.system.cli.suggest import SAME_SYSTEM, TAKEN, suggestion
from order_sagas.system.settings import settings_options
from order_sagas.system.settings.model import declared
from tests.support.cli import ROOT
from tests.support.embedded import EmbeddedSystem, an_order
from tests.unit.cli.test_putting_right import NeverRefunds


def command_of(words):
    """The command, and the words after its name."""
    found: click.Command = main
    rest = list(words)
    while isinstance(found, click.Group) and (rest or not found.invoke_without_command):
        found = found.commands[rest.pop(0)]
    return found, rest


@pytest.fixture
def suggested():
    """The result of `suggestion` in a command with these flags."""

    @click.command()
    @click.option("--words", multiple=True)
    @settings_options()
    def anything(words, settings):
        click.echo(suggestion(*words))

    def suggested(words, *flags):
        given = [part for word in words for part in ("--words", word)]
        result = CliRunner().invoke(anything, [*given, *flags])
        assert 0 == result.exit_code, result.output
        return result.stdout.splitlines()[-1]

    return suggested


@pytest.mark.parametrize("name", TAKEN)
def test_the_listed_flags_of_suggested_commands_exist(name):
    """In the options of the command."""
    command, _ = command_of(name.split())
    options = {parameter.name for parameter in command.params}
    everything = {setting.name for setting in declared() if not setting.kind.secret}
    stated = TAKEN[name]
    taken = everything if stated is None else set(stated)

    assert taken <= options
    assert taken & SAME_SYSTEM == options & SAME_SYSTEM
    assert "config_path" in options


def test_flags_that_identify_the_system_are_repeated(suggested, tmp_path):
    """Those that the command has; other flags do not identify the system."""
    flags = (
        "--database", "sqlite:///my data/o.db", "--partitions", "4", "--log-dir", "my logs",
        "--workers", "2", "--batch-size", "7",
    )  # fmt: skip

    assert (
        "order-sagas start --database 'sqlite:///my data/o.db' --log-dir 'my logs' --partitions 4"
        == suggested(["start"], *flags)
    )
    assert (
        "order-sagas submit 'my file.jsonl' --wait --database 'sqlite:///my data/o.db' "
        "--partitions 4" == suggested(["submit", "my file.jsonl", "--wait"], *flags)
    )
    assert (
        "order-sagas trace \"it's\" --database 'sqlite:///my data/o.db' --log-dir 'my logs'"
        == suggested(["trace", "it's"], *flags).replace("'it'\"'\"'s'", '"it\'s"')
    )


def test_a_file_of_settings_is_named_again(suggested, tmp_path):
    """With --config; the default file is not named."""
    file = tmp_path / "shop.toml"
    file.write_text("seed = 1\n")

    assert f"order-sagas start --config {file}" == suggested(["start"], "--config", file)
    assert f"order-sagas simulate --config {file}" == suggested(["simulate"], "--config", file)


def test_the_environment_is_not_repeated(suggested, monkeypatch):
    """It applies to the next command anyway."""
    monkeypatch.setenv("ORDER_SAGAS_DATABASE", "sqlite:///else.db")

    assert "order-sagas start" == suggested(["start"])


def test_the_login_to_kafka_is_repeated(suggested):
    """As flags where the command has them, else as variables; never to one that needs no Kafka."""
    flags = ("--kafka", "k:9092", "--kafka-group", "shop 1", "--kafka-security-protocol", "SSL",
             "--no-kafka-ssl-check-hostname")  # fmt: skip

    assert (
        "order-sagas start --kafka k:9092 --kafka-group 'shop 1' --kafka-security-protocol SSL "
        "--no-kafka-ssl-check-hostname" == suggested(["start"], *flags)
    )
    assert (
        "ORDER_SAGAS_KAFKA_GROUP='shop 1' ORDER_SAGAS_KAFKA_SECURITY_PROTOCOL=SSL "
        "ORDER_SAGAS_KAFKA_SSL_CHECK_HOSTNAME=False order-sagas unpause stock --kafka k:9092"
        == suggested(["unpause", "stock"], *flags)
    )
    assert "order-sagas orders" == suggested(["orders"], *flags)


def test_a_password_in_a_flag_is_not_printed(suggested):
    """Because the output may be seen by others."""
    flags = ("--database", "postgresql://shop:secret@db/orders")

    assert "order-sagas orders --database 'postgresql://shop:***@db/orders'" == suggested(
        ["orders"], *flags
    )


def test_booleans_in_variables_can_be_read_back(suggested, monkeypatch):
    """As a setting takes it."""
    monkeypatch.setenv("ORDER_SAGAS_KAFKA_SSL_CHECK_HOSTNAME", "False")

    assert "order-sagas start" == suggested(["start"])


MENTIONED = re.compile(r"\border-sagas (?:-|[a-z]+\b)")


def texts(file):
    """Every string of a module except docstrings and help texts, with its line."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    docs = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    # A text below a field is its docstring.
    docs |= {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docs:
            yield node.lineno, node.value


@pytest.mark.parametrize("layer", ["actors", "bridges", "system"])
def test_every_suggested_command_uses_suggestion(layer):
    """A string with `order-sagas start` in it would be wrong for whoever has a --database."""
    names = set(main.commands)
    found = [
        f"{file.relative_to(ROOT)}:{line}: {text!r}"
        for file in sorted((ROOT / layer).rglob("*.py"))
        for line, text in texts(file)
        if any(each.split()[1] in names for each in MENTIONED.findall(text))
    ]

    assert [] == found


ERRORS = (NoDatabaseError, NoTokensError, OldDatabaseError, TopicMissingError)
"""The errors that name a helpful command."""


def suggested_in_the_source():
    """The first words of each call of `suggestion`, as far as they are literals."""
    for file in sorted((ROOT / "system").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "suggestion":
                words = [each.value for each in node.args if isinstance(each, ast.Constant)]
                if words:
                    yield [*map(str, words)]


def test_every_command_that_is_suggested_is_listed():
    """In the source of the commands, and by errors."""
    named = [*suggested_in_the_source(), *(error.command for error in ERRORS)]
    names = {name if (name := " ".join(words[:2])) in TAKEN else words[0] for words in named}

    assert {"start", "submit", "topics create", "http token", "dead-letters replay"} <= names
    assert names <= set(TAKEN)


DATABASE = "sqlite:///elsewhere/o.db"
PENS = '{"orderId": "A", "customerId": "c", "currency": "EUR", "lines": []}'


@pytest.fixture
def elsewhere(run, tmp_path, monkeypatch):
    """Run a command with a flag for its database, without environment variables."""
    monkeypatch.delenv("ORDER_SAGAS_DATABASE")
    monkeypatch.delenv("ORDER_SAGAS_PARTITIONS")
    (tmp_path / "elsewhere").mkdir()

    return lambda *words, **given: run(*words, "--database", DATABASE, **given)


def said_by(result):
    """The whole output as one line."""
    return " ".join(result.output.split())


def test_commands_that_send_suggest_how_to_start_that_system(elsewhere):
    """Not the one on the default database."""
    start = f"order-sagas start --database {DATABASE}"

    assert f"`{start}`" in said_by(elsewhere("submit", "-", "--format", "jsonl", stdin=PENS))
    assert f"`{start}`" in said_by(elsewhere("pause", "stock", "--why", "x"))
    assert start in said_by(elsewhere("status"))
    paused = said_by(elsewhere("pause", "intake", "--why", "x"))
    assert f"order-sagas unpause intake --database {DATABASE}" in paused


def test_an_error_names_the_command_that_helps(elsewhere):
    """Here: the command that creates the missing database."""
    result = elsewhere("orders")

    assert 1 == result.exit_code
    assert f"create one. Try: order-sagas start --database {DATABASE}" in said_by(result)


def test_operators_commands_suggest_commands_for_that_system(run, tmp_path):
    """And `show` suggests how to resolve the problem."""
    with EmbeddedSystem(tmp_path, gateway=NeverRefunds()) as stuck:
        stuck.put(an_order("A"))  # there are no pens
        stuck.advance(hours(2))
        database = stuck.settings.database
        shown = said_by(run("show", "A", "--database", database))
        asked = said_by(run("resume", "A", "--database", database))

    assert f"order-sagas resume A --database {shlex.quote(database)}" in shown
    assert f"order-sagas trace A --database {shlex.quote(database)}" in asked
