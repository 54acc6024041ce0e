"""Tables that keep words whole on a narrow terminal, and show control characters."""

from collections.abc import Iterator
from typing import Any

from rich import box
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table
from rich.text import Text

from order_sagas.system.visible_text import visible

LONGEST_WORD = 16
"""Maximum width to which a column is kept for its longest word; ids and the like are folded."""


def plain_table(*columns: str, numbers: tuple[str, ...] = ()) -> Table:
    """Return a table with minimal borders; `numbers` names the right-aligned columns.

    Where the terminal is too narrow for its columns, each row is printed as a list of its fields.
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
        widths = [
            max(map(_longest_word, [self._header(number), *(row[number] for row in rows)]))
            for number in range(len(self.columns))
        ]
        between = 3 * (len(widths) - 1)
        if sum(widths) + between > options.max_width:
            yield from self._lists(rows)
            return
        for column, width in zip(self.columns, widths, strict=True):
            column.min_width = width
        yield from super().__rich_console__(console, options)

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

    def _lists(self, rows: list[list[Text]]) -> Iterator[Text]:
        names = [str(column.header) for column in self.columns]
        width = max(map(len, names))
        for number, row in enumerate(rows):
            if number:
                yield Text()
            for name, cell in zip(names, row, strict=True):
                if cell.plain:
                    yield Text.assemble((name.ljust(width), "bold"), "  ", cell)


def _longest_word(text: Text) -> int:
    return min(LONGEST_WORD, max(map(len, text.plain.split()), default=0))
