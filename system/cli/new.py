"""`order-sagas new`: write a project with a saga of its own that can be tested and run at once."""

import importlib.util
import keyword
import sys
from importlib import resources
from pathlib import Path

import click

from order_sagas.system.cli.suggest import suggestion

FILES = {
    "README.md": "README.md",
    "pyproject.toml": "pyproject.toml",
    "order-sagas.toml": "order-sagas.toml",
    "gitignore": ".gitignore",
    "init.py": "{{name}}/__init__.py",
    "messages.py": "{{name}}/messages.py",
    "saga.py": "{{name}}/saga.py",
    "rooms.py": "{{name}}/rooms.py",
    "cards.py": "{{name}}/cards.py",
    "rules.py": "{{name}}/rules.py",
    "app.py": "{{name}}/app.py",
    "test_saga.py": "tests/test_saga.py",
}
"""Template, without its suffix, to the file that is written. `{{name}}` is the project's name."""
NAME = "{{name}}"
SUFFIX = ".tmpl"


def _checked(_: click.Context, __: click.Parameter, name: str) -> str:
    plain = name.lower().replace("-", "_").replace(" ", "_")
    if name != plain or not name.isidentifier() or not name.isascii() or name.startswith("_"):
        hint = f"; for example {plain}" if plain.isidentifier() and plain.isascii() else ""
        raise click.BadParameter(
            f"{name!r} takes the form of a Python package: small letters, digits and _{hint}"
        )
    if keyword.iskeyword(name) or name in sys.stdlib_module_names:
        raise click.BadParameter(f"{name!r} is a name of Python itself; choose another one")
    spec = importlib.util.find_spec(name)
    if name == "tests" or (spec is not None and spec.origin is not None):
        raise click.BadParameter(
            f"there is a package {name!r} already, which the project would hide; choose another one"
        )
    return name


@click.command("new")
@click.argument("name", callback=_checked)
@click.option(
    "--into",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="Directory in which the project's directory is made.  [default: the current one]",
)
def new_command(name: str, into: Path) -> None:
    """Write a project NAME with a saga of its own, tests, and an app that runs at once.

    The project holds a saga of three steps, a service with state of its own, a service that calls
    another system with an idempotency key, and tests with faults and random simulations. NAME is
    the directory and the Python package in it. Nothing is written if the directory exists.
    """
    project = into / name
    try:
        project.mkdir(mode=0o755)
    except FileExistsError:
        raise click.ClickException(f"{project} exists already; nothing was written") from None
    templates = resources.files("order_sagas.system.cli") / "new_project"
    for template, place in FILES.items():
        text = (templates / f"{template}{SUFFIX}").read_text(encoding="utf-8")
        file = project / place.replace(NAME, name)
        file.parent.mkdir(exist_ok=True)
        file.write_text(text.replace(NAME, name), encoding="utf-8")
    click.echo(f"{project} is written. To test it and to run it:")
    for line in (f"cd {project}", "python -m pytest", suggestion("start")):
        click.echo(f"  {line}")
