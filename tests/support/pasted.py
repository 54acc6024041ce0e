"""Parses the commands of console blocks, and runs them in a shell as if they were pasted.

The notation of console blocks:

- A line that begins with `$ ` is a command. It continues in the following lines as long as bash
  reports it as incomplete.
- The lines below a command are its expected output on both streams, with spaces folded; `...`
  matches any text, and as a separate line any number of lines. Without lines below, any output is
  accepted. The command has to exit with 0.
- `# until Ctrl-C` after a command: it keeps running in a separate terminal. The next command starts
  when it has printed the lines below it. It is interrupted at the end of the page, if it still
  runs, and has to exit with 0, or with 130 if it does not handle Ctrl-C.
- `# repeat until ...` after a command: it is repeated until it exits with 0 and prints the lines
  below it.
- `<!-- not run: REASON -->` above a block: it is not run.

A page is one session: it keeps variables, directory and virtual environment.
"""

import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

import attrs
import psutil  # type: ignore[import-untyped]  # types-psutil is not worth a dependency

from tests.support.markdown import Block
from tests.support.waiting import TIMEOUT, wait_until

UNTIL_CTRL_C = "# until Ctrl-C"
REPEAT = "# repeat until"
PATIENCE = 10 * TIMEOUT
"""Time limit of a command, in seconds; installations take longest."""


@attrs.frozen
class Command:
    """A command of a block, and its expected output."""

    text: str
    expected: str
    where: str

    @property
    def runs_on(self) -> bool:
        """True if it keeps running (`# until Ctrl-C`)."""
        return UNTIL_CTRL_C in self.text

    @property
    def repeated(self) -> bool:
        """True if it is repeated until its output matches."""
        return REPEAT in self.text

    def matches(self, printed: str) -> bool:
        """Return True if this output matches the page."""
        if not self.expected:
            return True
        words = " ".join(self.expected.split())
        pattern = re.escape(words).replace(r"\ ", " ").replace(re.escape("..."), ".*")
        # An ellipsis also matches an empty text.
        pattern = pattern.replace(" .*", "(?: .*)?").replace(".* ", "(?:.* )?")
        plain = " ".join(printed.split())
        return bool(re.match(pattern, plain) if self.runs_on else re.fullmatch(pattern, plain))


def commands(block: Block) -> list[Command]:
    """Return the commands of a block. Raises ValueError for a line before the first one."""
    found: list[Command] = []
    lines = block.text.splitlines()
    number = 0
    while number < len(lines):
        if not lines[number].startswith("$ "):
            raise ValueError(f"{block.name}: {lines[number]!r} is neither a command nor its output")
        where = f"{block.page.name}:{block.line + 1 + number}"
        text = lines[number][2:]
        number += 1
        while not _is_whole(text):
            if number == len(lines):
                raise ValueError(f"{where}: the command has no end: {text}")
            text += "\n" + lines[number]
            number += 1
        begin = number
        while number < len(lines) and not lines[number].startswith("$ "):
            number += 1
        found.append(Command(text, "\n".join(lines[begin:number]).strip(), where))
    return found


def _is_whole(text: str) -> bool:
    """Return True if bash accepts it as complete; other syntax errors show at its run."""
    if text.endswith("\\"):
        return False
    checked = subprocess.run(["bash", "-n", "-c", text], capture_output=True, text=True)
    return "unexpected EOF" not in checked.stderr and "unexpected end of file" not in checked.stderr


class Shell:
    """A bash process that keeps its variables and its directory between commands.

    `replaced` maps texts of the page that depend on the machine, such as addresses, to their values
    here; in the output they are replaced back.
    """

    def __init__(
        self, directory: Path, notes: Path, env: Mapping[str, str], replaced: Mapping[str, str]
    ) -> None:
        self._notes = notes
        self._replaced = replaced
        self._count = 0
        self._running: list[tuple[Command, Path, Path]] = []
        self._bash = subprocess.Popen(
            ["bash", "--norc", "--noprofile"],
            cwd=directory, env=dict(env), stdin=subprocess.PIPE, text=True, start_new_session=True,
        )  # fmt: skip
        self._tell("set -m")  # a separate job, so that it can be interrupted

    def run(self, command: Command) -> None:
        """Run a command. Raises AssertionError if it does not do what the page says."""
        if command.runs_on:
            self._start(command)
            return
        if not command.repeated:
            code, printed = self._once(command)
            assert code == 0, f"{command.where}: exit code {code}\n$ {command.text}\n{printed}"
            assert command.matches(printed), _difference(command, printed)
            return
        last = (1, "")

        def does() -> bool:
            nonlocal last
            last = self._once(command)
            return last[0] == 0 and command.matches(last[1])

        try:
            wait_until(does, command.text, timeout=PATIENCE)
        except AssertionError:
            raise AssertionError(_difference(command, last[1])) from None

    def interrupt(self) -> None:
        """Interrupt all commands that still run; each has to exit with 0 (or 130)."""
        for command, out, code in reversed(self._running):
            if not code.exists():
                for pid in _children(self._pid_of(out)):
                    os.kill(pid, signal.SIGINT)
            wait_until(code.exists, f"{command.text} to end", timeout=PATIENCE)
            ended = int(code.read_text() or 1)
            assert ended in (0, 130), f"{command.where}: exit code {ended}\n{out.read_text()}"
        self._running.clear()

    def close(self) -> None:
        """Kill the shell, and all commands that still run."""
        for _, out, code in self._running:
            if not code.exists():
                for pid in _children(self._pid_of(out)):
                    os.kill(pid, signal.SIGTERM)
                wait_until(code.exists, "what still runs to end", timeout=PATIENCE)
        self._bash.kill()
        self._bash.wait()

    def _start(self, command: Command) -> None:
        out, code = self._files()
        written = self._write(command)
        self._tell(f'{{ eval "$(cat {written})"; echo $? > {code}.new; mv {code}.new {code}; }}'
                   f" > {out} 2>&1 < /dev/null & echo $! > {out}.pid")  # fmt: skip
        self._running.append((command, out, code))

        def shown() -> bool:
            printed = self._back(out.read_text()) if out.exists() else ""
            assert not code.exists(), f"{command.where} ended at once:\n{printed}"
            return bool(printed) and command.matches(printed)

        wait_until(shown, f"{command.text} to print what the page says", timeout=PATIENCE)

    def _once(self, command: Command) -> tuple[int, str]:
        out, code = self._files()
        written = self._write(command)
        self._tell(f'eval "$(cat {written})" > {out} 2>&1 < /dev/null; '
                   f"echo $? > {code}.new; mv {code}.new {code}")  # fmt: skip

        def ended() -> bool:
            assert self._bash.poll() is None, f"{command.where} ended the shell"
            return code.exists()

        wait_until(ended, command.text, timeout=PATIENCE)
        return int(code.read_text()), self._back(out.read_text(errors="replace"))

    def _write(self, command: Command) -> Path:
        text = command.text
        for on_the_page, here in self._replaced.items():
            text = text.replace(on_the_page, here)
        file = self._notes / f"{self._count}.sh"
        file.write_text(text)
        return file

    def _back(self, printed: str) -> str:
        for on_the_page, here in self._replaced.items():
            printed = printed.replace(here, on_the_page)
        return printed

    def _files(self) -> tuple[Path, Path]:
        self._count += 1
        return self._notes / f"{self._count}.out", self._notes / f"{self._count}.code"

    def _pid_of(self, out: Path) -> int:
        file = out.with_name(f"{out.name}.pid")
        wait_until(lambda: file.exists() and file.read_text().strip(), "the process to start")
        return int(file.read_text())

    def _tell(self, line: str) -> None:
        assert self._bash.stdin
        self._bash.stdin.write(line + "\n")
        self._bash.stdin.flush()


def _children(pid: int) -> Sequence[int]:
    """Return the first process of each command of a job, without its workers."""
    try:
        return [child.pid for child in psutil.Process(pid).children()]
    except psutil.NoSuchProcess:
        return []


def _difference(command: Command, printed: str) -> str:
    return (
        f"{command.where}\n$ {command.text}\nprinted:\n{printed}\n"
        f"and the page says:\n{command.expected}"
    )
