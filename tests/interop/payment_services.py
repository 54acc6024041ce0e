"""Runs the payment services of `examples/node` and `examples/go`, with libraries of their own."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import attrs

from tests.support.cli import ROOT
from tests.support.waiting import wait_until


@attrs.frozen
class Runtime:
    """A language with an example, and what is needed to build and run it."""

    name: str
    required: str
    """The environment variable that makes its absence a failure."""
    needs: tuple[str, ...]
    """Programs on the path."""
    missing: str
    """The error if one of them is missing."""
    build: Callable[[Path], list[str]]
    """Builds the example in a directory, and returns the command that runs it there."""

    @property
    def is_here(self) -> bool:
        """Whether this machine can run it."""
        return all(map(shutil.which, self.needs))


def _build_node(directory: Path) -> list[str]:
    _run("npm", "install", "--no-audit", "--no-fund", "--silent", at=directory)
    return ["node", "payments.js"]


def _build_go(directory: Path) -> list[str]:
    _run("go", "build", "-o", "payments", ".", at=directory)
    return [str(directory / "payments")]


def _run(*command: str, at: Path) -> None:
    done = subprocess.run(command, cwd=at, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"


NODE = Runtime(
    "node", "REQUIRE_NODE", ("node", "npm"), "Not found: Node 18 or newer, with npm.", _build_node
)
GO = Runtime("go", "REQUIRE_GO", ("go",), "Not found: Go 1.18 or newer.", _build_go)


class PaymentService:
    """The service of one language. Several may share a ledger if only one of them runs at a
    time."""

    def __init__(self, runtime: Runtime, directory: Path, servers: str, ledger: Path) -> None:
        self.name = runtime.name
        self._folder = directory / runtime.name
        shutil.copytree(ROOT / "examples" / runtime.name, self._folder)
        self._command = runtime.build(self._folder)
        self._environment = {**os.environ, "KAFKA": servers, "LEDGER": str(ledger)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it runs."""
        output = self._folder / "output.txt"
        with output.open("wb") as file:
            self._process = subprocess.Popen(
                self._command, cwd=self._folder, env=self._environment, stdout=file,
                stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
            )  # fmt: skip
        wait_until(lambda: "are running" in output.read_text(), f"{self.name} to run")

    def kill(self) -> None:
        """Kill it; it can be started again."""
        if self._process:
            self._process.kill()
            self._process.wait()


def acts(ledger: Path) -> list[tuple[str, str]]:
    """Return order and status of everything that is in a ledger, oldest first."""
    if not ledger.exists():
        return []
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    return [(line["orderId"], line["status"]) for line in lines]
