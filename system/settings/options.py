"""Settings as flags of a command."""

import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from system.settings.errors import SettingError
from system.settings.load import load_settings
from system.settings.model import Declared, declared

Function = Callable[..., Any]
_GIVEN = f"{__name__}.given"
"""Where in click's context the flags are that were given."""

PRIVATE, SHARED = 0o077, 0o007
"""The umask of every process: without a group to share files with, and with one."""


def settings_options(*names: str, provenance: bool = False) -> Callable[[Function], Function]:
    """Give a command `--config` and a flag for each setting named; without names, for all.

    The function gets one argument for them: `settings`, and, if asked for, `provenance` too. A
    wrong setting ends the command with its message and exit code 2. Secrets never get a flag.

    What the command writes is its user's alone, or that of a group too if `file_group` names one.
    """

    def decorate(function: Function) -> Function:
        known = {setting.name: setting for setting in declared()}
        chosen = [known[name] for name in names or known if names or not known[name].kind.secret]
        flags = [setting.name for setting in chosen]

        @functools.wraps(function)
        def command(*args: Any, config_path: Path | None, **given: Any) -> Any:
            chosen_flags = {name: given.pop(name) for name in flags}
            try:
                settings, sources = load_settings(chosen_flags, os.environ, config_path)
                if settings.file_group and not provenance:
                    from system.private_files import share_directories  # SQLAlchemy loads slowly

                    share_directories(settings, sources["file_group"])
            except SettingError as error:
                raise click.UsageError(str(error)) from None
            click.get_current_context().meta[_GIVEN] = {
                **({"config": config_path} if config_path else {}),
                **{name: value for name, value in chosen_flags.items() if value is not None},
            }
            os.umask(SHARED if settings.file_group else PRIVATE)
            for warning in sources.warnings:
                click.echo(f"Warning: {warning}", err=True)
            if provenance:
                given["provenance"] = sources
            return function(*args, settings=settings, **given)

        result: Function = command
        for setting in reversed(chosen):
            result = _option(setting)(result)
        return _CONFIG(result)

    return decorate


def given_flags() -> Mapping[str, Any]:
    """The settings that the running command was given as flags, as they were written, by name.

    `config` is the file of --config. Empty outside of a command.
    """
    context = click.get_current_context(silent=True)
    found: Mapping[str, Any] = context.meta.get(_GIVEN, {}) if context else {}
    return found


_CONFIG = click.option(
    "--config",
    "config_path",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="TOML file with settings.  [default: ./order-sagas.toml, if there]",
)


def _option(setting: Declared) -> Callable[[Function], Function]:
    if setting.kind.secret:
        raise ValueError(f"{setting.name} is a secret, and a command line is visible to everyone")
    if setting.kind.accepts == "true or false":
        flag = f"{setting.flag}/--no-{setting.flag[2:]}"
        return click.option(flag, setting.name, default=None, help=_help(setting))
    return click.option(setting.flag, setting.name, metavar="VALUE", help=_help(setting))


def _help(setting: Declared) -> str:
    default = f"  [default: {setting.default}]" if setting.default else ""
    return f"{setting.help} Takes {setting.kind.accepts}.{default}"
