"""Writes a new project from the template."""

import importlib.util
import keyword
import sys
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

PACKAGE, NAME, SUFFIX = "package", "PROJECT", ".tmpl"
"""What stands for the name in file names and in texts, and the end of the templates' names, which
keeps tools from taking them for modules."""


class BadNameError(ValueError):
    """The name cannot be that of a Python package. The error says what is accepted."""


def check_name(name: str) -> None:
    """Raise BadNameError unless a project of this name can be made."""
    if not name.isascii() or not name.isidentifier() or name != name.lower():
        raise BadNameError(
            f"{name!r} cannot be the name of a Python package: use small letters, digits and _, "
            "and begin with a letter"
        )
    if keyword.iskeyword(name) or name in sys.stdlib_module_names or name == "tests":
        raise BadNameError(f"{name!r} is a name that Python or the project uses itself")
    try:
        taken = importlib.util.find_spec(name) is not None
    except ValueError:
        taken = True
    if taken and not (Path.cwd() / name).exists():
        raise BadNameError(f"{name!r} is the name of an installed package")


def write_project(name: str, folder: Path) -> list[Path]:
    """Write the files of a project into an empty or new folder; return their paths, sorted.

    Raises BadNameError, FileExistsError if the folder holds anything, and OSError.
    """
    check_name(name)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(17, "it is there already, and not empty", str(folder))
    template = resources.files("order_sagas.system.new_project") / "template"
    return sorted(_write(template, folder, name))


def _write(source: Traversable, target: Path, name: str) -> list[Path]:
    target.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    for each in source.iterdir():
        path = target / each.name.replace(PACKAGE, name).removesuffix(SUFFIX)
        if each.is_dir():
            written += _write(each, path, name)
        elif each.name.endswith(SUFFIX):
            path.write_text(each.read_text(encoding="utf-8").replace(NAME, name), encoding="utf-8")
            written.append(path)
    return written
