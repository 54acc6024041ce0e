"""`order-sagas new`: write a small project to start from."""

from pathlib import Path

import click

from order_sagas.system.new_project.project import BadNameError, write_project


@click.command("new")
@click.argument("name")
@click.option(
    "--into",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the project. Default: NAME, in the working directory.",
)
def new_command(name: str, into: Path | None) -> None:
    """Write a project with a saga of your own: two services, a client, rules and tests.

    NAME is the name of its Python package. Its tests, its simulation and the system run at once;
    its README says how.
    """
    folder = into or Path(name)
    try:
        files = write_project(name, folder)
    except BadNameError as error:
        raise click.UsageError(str(error)) from None
    for file in files:
        click.echo(file)
    click.echo(f"\nNext: cd {folder} && python -m pytest")
