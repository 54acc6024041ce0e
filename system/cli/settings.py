"""`order-sagas settings`: print the settings in force and their sources."""

import click
from rich.table import Table

from order_sagas.system.cli.output import console, plain_table
from order_sagas.system.settings import Provenance, Settings, settings_options
from order_sagas.system.settings.load import DEFAULT
from order_sagas.system.settings.model import declared
from order_sagas.system.settings.show import settings_json, settings_markdown, settings_toml


@click.command("settings")
@settings_options(provenance=True)
@click.option("--json", "form", flag_value="json", help="Print JSON.")
@click.option("--toml", "form", flag_value="toml", help="Print a template of the settings file.")
@click.option("--markdown", "form", flag_value="markdown", help="Print a Markdown table.")
def settings_command(settings: Settings, provenance: Provenance, form: str | None) -> None:
    """Print the settings in force and where each value came from.

    A flag overrules the environment (ORDER_SAGAS_<NAME>), which overrules the TOML file, which
    overrules the default. Passwords are masked.
    """
    if form == "json":
        click.echo(settings_json(settings, provenance))
    elif form == "toml":
        click.echo(settings_toml(), nl=False)
    elif form == "markdown":
        click.echo(settings_markdown(), nl=False)
    else:
        console(width=80).print(_table(settings, provenance))


def _table(settings: Settings, provenance: Provenance) -> Table:
    """Return a table of each setting with its value and source. Secrets are masked."""
    table = plain_table("setting", "value", "from")
    for setting in declared():
        value = setting.kind.show(getattr(settings, setting.name)) or "-"
        source = provenance[setting.name]
        table.add_row(setting.name, value, source, style="dim" if source == DEFAULT else "bold")
    return table
