"""`order-sagas completion`: print the script that lets a shell complete commands and ids."""

import os

import click
from click.shell_completion import (
    BashComplete,
    CompletionItem,
    FishComplete,
    ShellComplete,
    ZshComplete,
    add_completion_class,
    get_completion_class,
    split_arg_string,
)

from order_sagas.system.cli.commands import COMPLETE

PROGRAM = "order-sagas"
SPECIAL = frozenset(" '\"\\$&();<>|`*?[]!#~")
"""Characters that are escaped for bash, because they have a special meaning."""
SHELLS = ("bash", "zsh", "fish")


@add_completion_class
class Bash(BashComplete):
    """Completion in bash of words with spaces and colons, which click's own cuts at them.

    Bash cuts words at colons before it calls the script, and so cuts the URL of a database. The
    script passes the line as it was typed, too.
    """

    name = "bash"
    source_template = BashComplete.source_template.replace(
        "$(env COMP_WORDS=", '$(env COMP_LINE="${COMP_LINE:0:COMP_POINT}" COMP_WORDS='
    )

    _typed = ""
    """The part of the word up to its last colon, which bash keeps."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and that word."""
        line = os.environ.get("COMP_LINE")
        if line is None:
            return super().get_completion_args()
        words = split_arg_string(line)[1:]
        incomplete = "" if line[-1:].isspace() and not line.endswith("\\ ") else words.pop()
        self._typed = incomplete[: incomplete.rfind(":") + 1]
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return the item as the script reads it: escaped for the shell, and that for `read`."""
        value = str(item.value).removeprefix(self._typed)
        escaped = "".join(
            f"\\{each}" if each in " '\"\\$&();<>|`*?[]!#~" else each for each in value
        )
        return f"{item.type}," + escaped.replace("\\", "\\\\")


class _WithOption(ShellComplete):
    """Completion of `--option=value` for shells that treat it as one word.

    click returns only the value. The shell drops it, as it does not begin with the typed word.
    """

    _option = ""
    """`--option=` if the word to complete begins with it."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words before the one to complete, and that word."""
        words, incomplete = super().get_completion_args()
        self._option = incomplete[: incomplete.find("=") + 1] if incomplete[:2] == "--" else ""
        return words, incomplete

    def format_completion(self, item: CompletionItem) -> str:
        """Return the item as the script reads it, with the option in front of a value."""
        if item.type == "plain":
            item.value = self._option + item.value
        return super().format_completion(item)


@add_completion_class
class Zsh(_WithOption, ZshComplete):
    """Completion in zsh."""


@add_completion_class
class Fish(_WithOption, FishComplete):
    """Completion in fish. An id or a description with a comma stays whole."""

    source_template = FishComplete.source_template.replace(
        'string split ","', 'string split --max 1 ","'
    )


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print the script that completes commands, options, ids and names in SHELL.

    \N{BACKSPACE}
    For one session, in bash, zsh (after compinit) and fish:
      source <(order-sagas completion bash)
      source <(order-sagas completion zsh)
      order-sagas completion fish | source
    For all sessions; the directory has to exist, that of zsh has to be in fpath:
      cd ~/.local/share/bash-completion/completions
      order-sagas completion bash > order-sagas
      order-sagas completion zsh > ~/.zfunc/_order-sagas
      order-sagas completion fish > ~/.config/fish/completions/order-sagas.fish

    Ids of orders and sagas come from the database that the line, the environment or the
    configuration file names; names of services, sagas, steps, topics and messages from the app. At
    most 50 are offered.
    """
    found = get_completion_class(shell)
    assert found
    made: ShellComplete = found(click.Command(PROGRAM), {}, PROGRAM, COMPLETE)
    click.echo(made.source())
