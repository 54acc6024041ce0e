"""A figure has its number of runs, its range, its command and its CPU."""

import io
import json

from rich.console import Console

from benchmarks.rows import Figure, print_table, write_json

FIGURES = [
    Figure("log", "CPU", (3.0, 1.0, 2.0), "s", "python -m x", "at most 4", {"worker 0": 1.5}),
    Figure("log", "memory", (7.0,), "kB", "python -m y"),
]


def test_the_file_has_all_fields_of_a_figure(tmp_path):
    """So that it can be measured again."""
    write_json(tmp_path / "figures.json", FIGURES, 0.116)
    first, second = json.loads((tmp_path / "figures.json").read_text())["figures"]

    assert (2.0, 3, "1 to 3") == (first["median"], first["repeats"], first["spread"])
    assert ("python -m x", {"worker 0": 1.5}) == (first["command"], first["cpu_seconds"])
    assert (1, "", {}) == (second["repeats"], second["spread"], second["cpu_seconds"])


def test_the_table_names_the_command_behind_each_row():
    """By a number, since commands are long."""
    said = io.StringIO()
    print_table(Console(file=said, width=120), FIGURES, 0.116)

    rows = said.getvalue().splitlines()
    assert any(line.split()[-1] == "1" and "worker 0 1.5" in line for line in rows)
    assert ["1 python -m x", "2 python -m y"] == [" ".join(line.split()) for line in rows[-2:]]
