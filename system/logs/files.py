"""Names of log files."""

import re
from pathlib import Path

_NAME = re.compile(r"order-sagas(?:-(?P<worker>.+?))?\.jsonl(?:\.(?P<age>\d+))?")


def log_file(directory: Path, worker: str | None = None) -> Path:
    """Return the log file of a process; processes that share a directory need worker names."""
    return directory / (f"order-sagas-{worker}.jsonl" if worker else "order-sagas.jsonl")


def log_files(directory: Path) -> dict[str, list[Path]]:
    """Return existing log files by worker name ("" for none), each list newest first.

    Raises OSError if the directory can't be read.
    """
    found: dict[str, list[tuple[int, Path]]] = {}
    # glob would take a directory without the right to read it for an empty one.
    for path in directory.iterdir() if directory.is_dir() else ():
        if match := _NAME.fullmatch(path.name):
            found.setdefault(match["worker"] or "", []).append((int(match["age"] or 0), path))
    return {worker: [path for _, path in sorted(aged)] for worker, aged in sorted(found.items())}
