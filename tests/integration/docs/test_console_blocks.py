"""Every console block of the README and of docs/ can be pasted, top to bottom, in a fresh clone.

The notation of those blocks is described in `tests.support.pasted`. What differs on each machine is
replaced: the address of the repository, ports that may be taken here, and a Kafka and a PostgreSQL,
both real. The packages come from the index that pip is set up with.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.support.markdown import PAGES, ROOT, Block, blocks
from tests.support.pasted import Command, Shell, commands
from tests.support.ports import free_port
from tests.support.working_copy import copy_of_repository

# They share a clone, and one of them takes as long as all other tests together.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.processes,
    pytest.mark.timeout(1800),
    pytest.mark.xdist_group("console-blocks"),
]

NOT_RUN = {
    "needs a Docker engine",
    "needs a Kafka with ACLs",
    "needs a Kafka and a second terminal",
    "needs a Kafka with services in Java",
}
"""The allowed reasons for which a block is not run."""
REPOSITORY = "<this repository>"
PORTS = ("127.0.0.1:8080", "127.0.0.1:8081", "127.0.0.1:8082", "127.0.0.1:9464", "localhost:4318")
KAFKA = "kafka:9092"
POSTGRES = "postgresql://user:password@db/orders"
CONSOLE = [page for page in PAGES if blocks(page, "console")]


def is_run(block: Block) -> bool:
    """Return True if the block is not marked as one that is not run."""
    return not block.comment.startswith("not run:")


def page_name(page: Path) -> str:
    """The name of a page in the names of the tests."""
    return page.stem


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the files of this working tree, including changes not committed yet."""
    origin = copy_of_repository(tmp_path_factory.mktemp("origin") / "order-sagas")
    person = ["-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for words in (["init", "-q"], ["add", "-A", "-f"], [*person, "commit", "-qm", "All of it"]):
        subprocess.run(["git", *words], cwd=origin, check=True, capture_output=True)
    return origin


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """The environment of a user with a terminal of 100 columns, and without our settings."""
    curl = tmp_path_factory.mktemp("curl")
    (curl / ".curlrc").write_text("silent\nshow-error\nno-buffer\n")  # as on a terminal
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("ORDER_SAGAS_", "PYTEST_", "OTEL_", "VIRTUAL_ENV", "PYTHONPATH"))
    }
    return {**kept, "COLUMNS": "120", "CURL_HOME": str(curl), "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@pytest.fixture(scope="module")
def ports() -> Mapping[str, str]:
    """A free port for each port that the pages name."""
    return {port: f"{port.partition(':')[0]}:{free_port()}" for port in PORTS}


Run = Callable[[Path, Path, Mapping[str, str]], None]


@pytest.fixture
def run(
    tmp_path: Path,
    repository: Path,
    environment: Mapping[str, str],
    ports: Mapping[str, str],
) -> Iterator[Run]:
    """Run the blocks of a page in a directory, in one shell."""
    shells = []

    def run(page: Path, directory: Path, replaced: Mapping[str, str]) -> None:
        notes = tmp_path / "notes"
        notes.mkdir()
        texts = {REPOSITORY: str(repository), **ports, **replaced}
        shell = Shell(directory, notes, environment, texts)
        shells.append(shell)
        for block in blocks(page, "console"):
            if is_run(block):
                for command in commands(block):
                    print(f"{command.where}  $ {command.text}")
                    shell.run(command)
        shell.interrupt()

    yield run
    for shell in shells:
        shell.close()


@pytest.fixture(scope="module")
def clone(
    repository: Path, environment: Mapping[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A clone in which the README's first block was run."""
    above = tmp_path_factory.mktemp("clone")
    first, *_ = blocks(ROOT / "README.md", "console")
    script = "\n".join(command.text for command in commands(first))
    subprocess.run(
        ["bash", "-euc", script.replace(REPOSITORY, str(repository))],
        cwd=above, env=dict(environment), check=True, capture_output=True, text=True,
    )  # fmt: skip
    clone = above / "order-sagas"
    shutil.copytree(clone / ".venv", above / "venv", symlinks=True)
    return clone


def as_it_was(clone: Path) -> None:
    """Remove files and packages that another page left in the clone."""
    subprocess.run(["git", "clean", "-qxdf", "-e", ".venv"], cwd=clone, check=True)
    shutil.rmtree(clone / ".venv")
    shutil.copytree(clone.parent / "venv", clone / ".venv", symlinks=True)


def test_the_readme_can_be_pasted(run, tmp_path, own_kafka, postgres_url):
    """From `git clone` on, with a Kafka broker and a PostgreSQL server of the test's own."""
    plain = postgres_url.replace("postgresql+psycopg://", "postgresql://")
    above = tmp_path / "above"
    above.mkdir()

    run(ROOT / "README.md", above, {KAFKA: own_kafka.bootstrap_servers, POSTGRES: plain})


@pytest.mark.parametrize("page", CONSOLE[1:], ids=page_name)
def test_a_page_can_be_pasted(run, clone, page):
    """In a clone in which only the README's first block was run."""
    as_it_was(clone)

    run(page, clone, {})


@pytest.mark.parametrize("page", CONSOLE, ids=page_name)
def test_a_block_is_left_out_only_for_a_known_reason(page, record_property):
    """The reason is shown in the report."""
    for block in blocks(page, "console"):
        if not is_run(block):
            reason = block.comment.removeprefix("not run:").strip()
            print(f"not run: {block.name}: {reason}")
            record_property("not run", f"{block.name}: {reason}")
            assert reason in NOT_RUN


def of(text: str, expected: str = "") -> Command:
    """A command that is in no page."""
    return Command(text, expected, "here")


@pytest.mark.parametrize(
    ("expected", "printed", "does"),
    [
        ("", "anything", True),
        ("done", "done\n", True),
        ("done", "not done\n", False),
        ("done", "done at last\n", False),
        ("done\n...", "done\nand more\n", True),
        ("done\n...", "done\n", True),
        ("...\ndone", "first\ndone\n", True),
        ("took ... s", "took 0.21 s", True),
        ('{"at":"...","n":1}', '{"at":"2026","n":1}', True),
        ("a   b", "a b", True),
    ],
)
def test_an_ellipsis_matches_any_output(expected, printed, does):
    """So that a page can show only what matters."""
    assert does == of("x", expected).matches(printed)
