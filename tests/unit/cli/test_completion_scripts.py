"""The scripts of `order-sagas completion` in the shells that they are for."""

import os
import shutil
import subprocess
import sys

import pytest

from order_sagas.system.cli.completion import PROGRAM
from tests.support.cli import ROOT
from tests.support.embedded import an_order

BASH = """
source <(order-sagas completion bash)
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDS=($1) COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
_order_sagas_completion order-sagas
printf '%s\n' "${COMPREPLY[@]}"
"""
ZSH = """
compdef() {}
compadd() { print -rl -- ${(qP)@[-1]} }
_describe() { compadd ${@[-2]} }
_path_files() { print -r files $@ }
source <(order-sagas completion zsh)
words=(${(z)1}); [[ $1 = *[^\\\\]\\  ]] && words+=("")
CURRENT=$#words
_order_sagas_completion
"""
"""The functions of zsh that offer values print them; they work only while a line is edited."""
FISH = """
order-sagas completion fish | source
complete --do-complete "$argv[1]"
"""
ASK = {
    "bash": ("--norc", "-c", BASH, "bash"),
    "zsh": ("-f", "-c", ZSH, "zsh"),
    "fish": ("--no-config", "-c", FISH),
}
STEP = {
    "bash": "process\\ payment",
    "zsh": "--step=process\\ payment",
    "fish": "--step=process payment",
}
"""What a shell inserts for `--step=pr`; bash takes what is behind the sign for a word."""


@pytest.fixture(params=ASK)
def shell(request):
    """The name of a shell that is installed."""
    if not shutil.which(request.param):
        pytest.skip(f"{request.param} is not installed")
    return request.param


@pytest.fixture
def ask(shell, system, tmp_path):
    """Completes a line in the shell, with the program as a process; answers what is offered."""
    program = tmp_path / "bin" / PROGRAM
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nfrom order_sagas.system.cli.main import main\nmain()\n"
    )
    program.chmod(0o700)
    path = f"{program.parent}{os.pathsep}{os.environ['PATH']}"
    home = str(tmp_path)
    env = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": path, "HOME": home}
    del env["ORDER_SAGAS_DATABASE"]

    def ask(line):
        asked = subprocess.run(
            [shell, *ASK[shell], line],
            env=env, cwd=tmp_path, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "" == asked.stderr
        return asked.stdout.splitlines()

    return ask


def test_a_shell_completes_with_its_script(shell, ask, system) -> None:
    """Words with spaces, commas and colons stay whole."""
    system.start()
    system.put(an_order("o,2"), an_order("o 1"))
    space = " " if shell == "fish" else "\\ "

    found = ask(f"order-sagas show --database {system.settings.database} o")
    assert [f"o{space}1", "o,2"] == found
    assert [f"process{space}payment"] == ask("order-sagas skip --step pr")
    assert [STEP[shell]] == ask("order-sagas skip --step=pr")
