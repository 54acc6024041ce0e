"""Tables that keep words whole on a narrow terminal, and show control characters."""

from collections.abc import Iterable, Iterator
from typing import Any

from rich import box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from order_sagas.system.visible_text import visible

LONGEST_WORD = 24
"""Maximum width to which a column is kept for its longest word; ids and the like are folded."""


def plain_table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """Return a table with minimal borders; `numbers` names the right-aligned columns.

    On a narrow terminal, columns come closer together and cells are folded between words. Where
    it is too narrow for that, each row is printed as a list of its fields.
    """
    table = _Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for name in columns:
        table.add_column(name, justify="right" if name in numbers else "left", overflow="fold")
    return table


class _Table(Table):
    def add_row(self, *cells: Any, **options: Any) -> None:
        """Add a row; texts are shown as `visible` shows them."""
        super().add_row(
            *(visible(cell) if isinstance(cell, str) else cell for cell in cells), **options
        )

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        rows = [*self._rows_of_text(console)]
        texts = [
            [self._header(number), *(row[number] for row in rows)]
            for number in range(len(self.columns))
        ]
        words = [max(map(_longest_word, column)) for column in texts]
        wanted = [min(options.max_width, max(map(_width, column))) for column in texts]
        # Amounts with their currencies are folded only if nothing else helps.
        whole = [
            min(LONGEST_WORD, wanted[number]) if column.justify == "right" else words[number]
            for number, column in enumerate(self.columns)
        ]
        for gap, least in ((3, whole), (2, whole), (2, words)):
            room = options.max_width - gap * (len(texts) - 1)
            if sum(least) <= room:
                self.collapse_padding = gap == 2
                # rich itself would make all columns narrower by the same, and cut what is too wide.
                for column, width in zip(self.columns, _fitted(least, wanted, room), strict=True):
                    column.width = width
                yield from super().__rich_console__(console, options)
                return
        yield from self._lists(rows)

    def _header(self, number: int) -> Text:
        return Text(str(self.columns[number].header)) if self.show_header else Text()

    def _rows_of_text(self, console: Console) -> Iterator[list[Text]]:
        columns = [[*column.cells] for column in self.columns]
        for row in zip(*columns, strict=True):
            yield [
                console.render_str(cell) if isinstance(cell, str) else cell
                for cell in row
                if isinstance(cell, str | Text)
            ]

    def _lists(self, rows: list[list[Text]]) -> Iterator[RenderableType]:
        names = [str(column.header) for column in self.columns]
        width = max(map(len, names))
        for number, row in enumerate(rows):
            if number:
                yield Text()
            yield FieldsList(
                (name.ljust(width), cell) for name, cell in zip(names, row, strict=True) if cell
            )


class FieldsList:
    """Names, in a style, with their values beside them; long values go on below themselves."""

    def __init__(self, fields: Iterable[tuple[str, Text | str]], style: str = "bold") -> None:
        self._fields = [*fields]
        self._style = style

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield a text for each line."""
        indent = max((len(name) for name, _ in self._fields), default=0) + 2
        for name, value in self._fields:
            text = Text(visible(value)) if isinstance(value, str) else value
            begin = Text(name.ljust(indent), self._style)
            for line in text.wrap(console, max(1, options.max_width - indent), overflow="fold"):
                line.rstrip()
                yield Text.assemble(begin, line)
                begin = Text(" " * indent)


def _fitted(least: list[int], wanted: list[int], room: int) -> list[int]:
    """Return the wanted widths, or narrower ones that fit; the widest columns give way first."""
    widths = wanted[:]
    while sum(widths) > room:
        above = [width if width > low else 0 for width, low in zip(widths, least, strict=True)]
        widths[above.index(max(above))] -= 1
    return widths


def _width(text: Text) -> int:
    return max(map(cell_len, text.plain.splitlines()), default=0)


def _longest_word(text: Text) -> int:
    return min(LONGEST_WORD, max(map(cell_len, text.plain.split()), default=0))
