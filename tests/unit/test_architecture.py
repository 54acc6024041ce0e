"""The places that the documents name exist."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.markdown import PAGES, ROOT

DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
GUIDES = [ROOT / name for name in ("CONTRIBUTING.md", "GLOSSARY.md", "SECURITY.md", "RELEASING.md")]
DOCUMENTS = [ROOT / "ARCHITECTURE.md", *GUIDES, *DECISIONS]

PLACE = re.compile(r"`(?P<path>[\w./-]+\.py)`(?: (?:or |and )?`(?P<name>[A-Za-z_][\w.]*)`)?")
"""A file of Python, and the name in it that follows at once, if one does."""
FOLDER = re.compile(
    r"`((?:actors|bridges|system|tests|docs|src|examples|benchmarks)(?:/[\w-]+)*)/?`"
)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]+))?\)")
TARGET = re.compile(r"`make ([a-z.-]+)")


def name_of(document: Path) -> str:
    """For the ids of tests."""
    return str(document.relative_to(ROOT))


def text_of(document: Path) -> str:
    """The document without its blocks of code."""
    return re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.M | re.S)


@cache
def names_in(file: Path) -> frozenset[str]:
    """The names that a module defines: functions, classes, constants, and members of classes."""
    found: set[str] = set()

    def collect(body: list[ast.stmt], prefix: str) -> None:
        for node in body:
            targets: list[ast.expr] = []
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                found.add(prefix + node.name)
                if isinstance(node, ast.ClassDef):
                    collect(node.body, f"{prefix}{node.name}.")
            elif isinstance(node, ast.Assign):
                targets = node.targets
            elif isinstance(node, ast.AnnAssign):
                targets = [node.target]
            found.update(prefix + each.id for each in targets if isinstance(each, ast.Name))

    collect(ast.parse(file.read_text(encoding="utf-8")).body, "")
    return frozenset(found)


def places(document: Path) -> list[tuple[str, str]]:
    """Each file of Python that a document names, with the name in it or an empty one."""
    return [(match["path"], match["name"] or "") for match in PLACE.finditer(text_of(document))]


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_named_file_and_name_exists(document: Path) -> None:
    """So that a rename reports the documents to change."""
    wrong = [
        f"{path} {name}".strip()
        for path, name in places(document)
        if not (ROOT / path).is_file() or (name and name not in names_in(ROOT / path))
    ]
    missing = [
        folder for folder in FOLDER.findall(text_of(document)) if not (ROOT / folder).is_dir()
    ]

    assert [] == wrong + missing


@pytest.mark.parametrize("document", [*DOCUMENTS, *PAGES, ROOT / "CHANGELOG.md"], ids=name_of)
def test_every_link_has_a_target(document: Path) -> None:
    """Files, and headings of documents."""
    wrong = []
    for path, heading in LINK.findall(text_of(document)):
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (heading and heading not in anchors(target)):
            wrong.append(f"{path}#{heading}")

    assert [] == wrong


def anchors(document: Path) -> set[str]:
    """What the headings of a document are linked by."""
    headings = re.findall(r"^#+ (.*)$", text_of(document), re.M)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("document", DOCUMENTS, ids=name_of)
def test_every_target_of_make_exists(document: Path) -> None:
    """`make X` is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z.-]+):", (ROOT / "Makefile").read_text(), re.M))

    assert set(TARGET.findall(document.read_text(encoding="utf-8"))) <= targets


def test_the_architecture_answers_ten_questions_each_with_a_place() -> None:
    """The four that a newcomer asks first, and six more."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (Where .*\?) \| (.*) \|$", text, re.M)

    assert 10 == len(rows)
    assert [] == [question for question, answer in rows if not PLACE.search(answer)]
    for asked in ("record decoded", "deadline stored", "rebalance drop shards", "cancel decided"):
        assert any(asked in question for question, _ in rows)


def test_every_place_of_the_architecture_has_a_name() -> None:
    """A path alone says little; modules that are whole tables are the exception."""
    whole = {
        "bridges/storage/schema.py",
        "bridges/audit/rules.py",
        "tests/unit/test_architecture.py",
    }
    whole.add("tests/unit/test_imports.py")
    bare = {path for path, name in places(ROOT / "ARCHITECTURE.md") if not name}

    assert bare <= whole


def test_the_index_of_decisions_is_complete() -> None:
    """Each record is linked, by its title, in the order of the numbers."""
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \[(\d{4})\]\(([^)]+)\) \| (.+?) \|$", index, re.M)

    assert [(file.stem[:4], file.name, title_of(file)) for file in DECISIONS] == rows


@pytest.mark.parametrize("record", DECISIONS, ids=name_of)
def test_a_decision_has_a_day_and_three_sections_and_is_short(record: Path) -> None:
    """Context, decision and consequences in at most forty lines."""
    text = record.read_text(encoding="utf-8")

    assert re.match(r"Decided on \d{4}-\d\d-\d\d\.$", text.splitlines()[2])
    assert ["Context", "Decision", "Consequences"] == re.findall(r"^## (.*)$", text, re.M)
    assert text.startswith(f"# {int(record.name[:4])}. ")
    assert len(text.splitlines()) <= 40


def title_of(record: Path) -> str:
    """The title without its number."""
    return record.read_text(encoding="utf-8").splitlines()[0].partition(". ")[2]


def test_every_term_that_is_linked_is_in_the_glossary() -> None:
    """`GLOSSARY.md#term` leads to a row of its table, which has the term in bold."""
    terms = re.findall(r"^\| \*\*(.+?)\*\*", (ROOT / "GLOSSARY.md").read_text(), re.M)

    assert len(terms) == len({term.casefold() for term in terms})
    assert terms == sorted(terms, key=str.casefold)
