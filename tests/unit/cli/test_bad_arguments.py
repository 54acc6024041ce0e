"""For any invalid argument, every command prints the error without a traceback."""

import sqlite3
from collections.abc import Iterator
from typing import Any

import click
import pytest

from order_sagas.system.cli.main import main


def commands(group: click.Group = main, *above: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that can be called, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands(command, *above, name)
        if not isinstance(command, click.Group) or command.invoke_without_command:
            yield (*above, name), command


def takes(command: click.Command, name: str) -> bool:
    """True if the command has this option."""
    return any(name in parameter.opts for parameter in command.params)


def every(*without: str, option: str = "--help") -> pytest.MarkDecorator:
    """Each command that takes an option, but those of these names."""
    found = [
        pytest.param(words, command, id=" ".join(words))
        for words, command in commands()
        if " ".join(words) not in without and (option == "--help" or takes(command, option))
    ]
    return pytest.mark.parametrize(("words", "command"), found)


@pytest.fixture
def filled(tmp_path):
    """The arguments that a command needs, of the right type."""
    file = tmp_path / "given.jsonl"
    file.write_text("{}\n")

    def filled(command: click.Command) -> list[str]:
        given = []
        for parameter in command.params:
            if isinstance(parameter, click.Argument):
                kind = parameter.type
                value = str(file) if isinstance(kind, click.Path) else "1"
                given.append(kind.choices[0] if isinstance(kind, click.Choice) else value)
        return given

    return filled


@pytest.fixture
def refused(run):
    """Run a command that has to fail; return what it printed on standard error."""

    def refused(*words: str, codes: tuple[int, ...] = (1, 2)) -> str:
        result = run(*words, stdin="")  # raises what would be a traceback
        assert result.exit_code in codes, (words, result.output)
        assert "Traceback" not in result.output, words
        assert result.stderr.strip(), words
        return str(result.stderr)

    return refused


@every()
def test_an_unknown_option_is_an_error(refused, words, command) -> None:
    """With the usage, before anything is done."""
    told = refused(*words, "--no-such-option", codes=(2,))

    assert "No such option" in told
    assert " ".join(words) in told


@every()
def test_an_option_without_its_value_is_an_error(refused, words, command) -> None:
    """Each that takes one, but `--http` of the demonstration, whose value may be left out."""
    for parameter in command.params:
        if isinstance(parameter, click.Option) and not parameter.is_flag:
            if words == ("demo",) and "--http" in parameter.opts:
                continue
            assert "requires an argument" in refused(*words, parameter.opts[0], codes=(2,))


@every("demo", "new", "completion", "simulate", "http token")
def test_a_wrong_value_of_any_option_is_one_error(refused, filled, words, command) -> None:
    """Nothing is started: the database does not exist either."""
    arguments = filled(command)
    assert takes(command, "--database") or takes(command, "--app"), words
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or parameter.is_flag:
            continue
        broken = ["--database", "no URL"] if takes(command, "--database") else []
        for value in ("nonsense", "-1", "", "é\udcff"):
            given = [*arguments, *broken, parameter.opts[0], value]
            if takes(command, "--app") and not broken:
                given += ["--app", "no.such:APP"]
            refused(*words, *given)


@pytest.mark.parametrize(
    "args",
    [
        ("demo", "--orders", "none"),
        ("demo", "--seed", "-1"),
        ("demo", "--http", "nowhere"),
        ("new", "Not A Name"),
        ("new", "travel", "--into", "no/such/folder"),
        ("completion", "ksh"),
        ("simulate", "--seeds", "0"),
        ("simulate", "--seed", "1", "--plan", "{"),
        ("simulate", "--faults", "some"),
        ("simulate", "--app", "no.such:APP"),
        ("http", "token", "a name"),
        ("http", "token", "shop", "--role", "king"),
    ],
    ids=" ".join,
)
def test_wrong_values_of_commands_without_a_database(refused, args) -> None:
    """Like those of the other commands."""
    refused(*args)


@pytest.fixture(params=["garbage", "a directory", "another application", "no server", "no driver"])
def broken(request, tmp_path) -> str:
    """The URL of a database that cannot be used."""
    place = tmp_path / "broken.db"
    if request.param == "garbage":
        place.write_bytes(b"not a database at all" * 100)
    elif request.param == "a directory":
        place.mkdir()
    elif request.param == "another application":
        with sqlite3.connect(place) as db:
            db.execute("CREATE TABLE meta (a, b, c)")
    elif request.param == "no server":
        return "postgresql://nobody@127.0.0.1:1/none"
    elif request.param == "no driver":
        return "oracle://somewhere/else"
    return f"sqlite:///{place}"


@every("start", "http", "settings", option="--database")
def test_a_database_that_cannot_be_used_is_one_error(
    refused, filled, broken, words, command
) -> None:
    """For every command."""
    told = refused(*words, *filled(command), "--database", broken)

    assert "Error: " in told
