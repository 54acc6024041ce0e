"""The code blocks of the project's Markdown files."""

import re
from pathlib import Path

import attrs

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))

_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\S*)[^\n]*\n(?P<text>.*?)^(?P=indent)```$", re.M | re.S
)
_COMMENT = re.compile(r"<!-- *(?P<said>(?:(?!-->).)*?) *-->\s*\Z", re.S)


@attrs.frozen
class Block:
    """A fenced code block, with its first line and the HTML comment above it, if any."""

    page: Path
    line: int
    language: str
    text: str
    comment: str = ""

    @property
    def name(self) -> str:
        """File and line, for reports."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path, *languages: str) -> list[Block]:
    """Return the blocks of these languages, or all, in their order."""
    source = page.read_text(encoding="utf-8")
    found = []
    for match in _FENCE.finditer(source):
        above = source[: match.start()]
        comment = _COMMENT.search(above)
        found.append(
            Block(
                page,
                above.count("\n") + 1,
                match["language"],
                match["text"],
                comment["said"] if comment else "",
            )
        )
    return [block for block in found if not languages or block.language in languages]


def outside_of_blocks(page: Path) -> str:
    """Return the text of a page without its blocks."""
    return _FENCE.sub("", page.read_text(encoding="utf-8"))
