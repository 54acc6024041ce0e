"""Builds the distributions as a release does, and installs them as their users do."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.locks import locked
from tests.support.session_servers import run_directory
from tests.support.working_copy import copy_of_repository

ROOT = Path(__file__).parents[2]
PACKAGE = "order_sagas"
HOSTILE = ("actors", "bridges", "system", "examples", "benchmarks", "tests")
"""Packages of the user that have the names of this repository's top-level folders."""


def run(
    command: Sequence[object], cwd: Path | None = None, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; a failure shows all that it printed."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd, env=env, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{shlex.join(map(str, command))}\n{done.stdout}\n{done.stderr}")
    return done


def docker_context(repository: Path, target: Path) -> Path:
    """The part of a repository that `.dockerignore` lets into an image: a list of exceptions."""
    target.mkdir()
    for line in (repository / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            source = repository / line[1:]
            if source.is_dir():
                shutil.copytree(source, target / line[1:], symlinks=True)
            else:
                shutil.copy2(source, target / line[1:])
    return target


def docker_install(dockerfile: str, target: Path) -> Iterator[list[str]]:
    """The commands by which the image installs, with `target` in place of the image's folder."""
    for line in re.findall(r"^RUN (.*(?:venv|pip).*)$", dockerfile, re.MULTILINE):
        words = [word.replace("/opt/order-sagas", str(target)) for word in shlex.split(line)]
        yield [sys.executable if words[0] == "python" else words[0], *words[1:]]


def built() -> tuple[Path, Path]:
    """An sdist, and a wheel made from that sdist: once for all workers of this test run."""
    target = run_directory() / "dist"
    with locked(run_directory() / "dist.lock"):
        if not any(target.glob("*.whl")):
            repository = copy_of_repository(run_directory() / "repository")
            run([sys.executable, "-m", "build", "--outdir", target, repository])
    (sdist,) = target.glob("*.tar.gz")
    (wheel,) = target.glob("*.whl")
    return sdist, wheel


def way(name: str) -> Any:
    """A parameter for a way to install. All its tests run in one xdist worker and environment."""
    return pytest.param(name, marks=pytest.mark.xdist_group(f"packaging-{name}"))


@attrs.frozen
class Environment:
    """A virtual environment, used from a folder that holds packages of its user's own."""

    folder: Path
    project: Path

    @property
    def bin(self) -> Path:
        """The folder of its commands."""
        return self.folder / "bin"

    @property
    def command(self) -> tuple[str, ...]:
        """The installed `order-sagas`."""
        return (str(self.bin / "order-sagas"),)

    @property
    def variables(self) -> dict[str, str]:
        """The variables of a user who has the project on the path, and one database for all."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("ORDER_SAGAS_", "PYTEST_", "PYTHON"))
        }
        return {
            **kept,
            "PYTHONPATH": str(self.project),
            "PATH": f"{self.bin}{os.pathsep}{kept['PATH']}",
            "COLUMNS": "200",
        }

    def run(self, *words: object) -> str:
        """Run a command of the environment in the project; return its output."""
        name, *rest = words
        return run([self.bin / str(name), *rest], cwd=self.project, env=self.variables).stdout

    def order_sagas(self, *words: object) -> str:
        """Run one of our commands in the project."""
        return self.run("order-sagas", *words)


def environment(folder: Path, project: Path) -> Environment:
    """An empty environment, and a project whose packages have the names of ours."""
    if not (folder / "bin" / "python").exists():
        run([sys.executable, "-m", "venv", folder])
    for name in HOSTILE:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text(
            f'raise RuntimeError("this is the {name} of somebody else")\n'
        )
    return Environment(folder, project)
