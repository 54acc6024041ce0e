"""Loads settings. Precedence: flags, environment, TOML file, defaults."""

import difflib
import os
import re
import stat
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import attrs

from order_sagas.system.settings.advice import warnings_of
from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.model import PREFIX, Declared, Settings, declared

CONFIG_FILE = Path("order-sagas.toml")
CONFIG_VARIABLE = PREFIX + "CONFIG"
NOT_SETTINGS = (CONFIG_VARIABLE, PREFIX + "TEST_")
"""Variables that belong to this loader and to the project's own tests."""
DEFAULT = "default"
RUN_CODE = ("app", "kafka_token_command")
"""Settings that name code to run."""


@attrs.frozen
class Provenance:
    """The source of each value."""

    sources: Mapping[str, str]
    """By setting: `flag --seed`, `environment ORDER_SAGAS_SEED`, `FILE:LINE` or `default`."""
    warnings: tuple[str, ...] = ()
    """Warnings to print, one sentence each."""

    def __getitem__(self, name: str) -> str:
        return self.sources[name]


def load_settings(
    flags: Mapping[str, Any], env: Mapping[str, str], config_path: Path | str | None = None
) -> tuple[Settings, Provenance]:
    """Read every source and check every value.

    `flags` maps setting names to values; None means not given. The file is `config_path`, else the
    one that ORDER_SAGAS_CONFIG names, else ./order-sagas.toml if it exists. Raises SettingError for
    the first invalid value, and for an unknown name in `flags` or in the file. An unknown variable
    ORDER_SAGAS_* only causes a warning, because it may belong to another tool.
    """
    known = {setting.name: setting for setting in declared()}
    file = _config_file(config_path, env)
    from_file = _from_file(file, known)
    if file is CONFIG_FILE:
        _check_owner(CONFIG_FILE, from_file)
    layers = [
        from_file,
        _from_environment(env, known),
        _from_flags(flags, known),
    ]
    values: dict[str, Any] = {}
    sources = dict.fromkeys(known, DEFAULT)
    for layer in layers:
        for name, (raw, source) in layer.items():
            values[name] = _read(known[name], raw, source)
            sources[name] = source
    settings = Settings(**values)
    warnings = (*_unknown_variables(env, known), *warnings_of(settings, sources))
    provenance = Provenance(sources, warnings)
    _check_together(settings, provenance)
    return settings, provenance


Layer = dict[str, tuple[Any, str]]
"""By setting: the value as written, and its source."""


def _from_flags(flags: Mapping[str, Any], known: Mapping[str, Declared]) -> Layer:
    given = {name: value for name, value in flags.items() if value is not None}
    for name in given:
        if name not in known:
            flag = "--" + name.replace("_", "-")
            raise SettingError(name, f"flag {flag}", _no_such_setting(name, known))
    return {name: (value, f"flag {known[name].flag}") for name, value in given.items()}


def _from_environment(env: Mapping[str, str], known: Mapping[str, Declared]) -> Layer:
    return {
        name: (env[setting.variable], f"environment {setting.variable}")
        for name, setting in known.items()
        if setting.variable in env
    }


def _from_file(path: Path | None, known: Mapping[str, Declared]) -> Layer:
    if path is None:
        return {}
    try:
        written = path.read_text(encoding="utf-8")
        table = tomllib.loads(written)
    except (OSError, UnicodeDecodeError) as error:
        raise SettingError("config", str(path), f"cannot be read: {error}") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingError("config", str(path), f"is not TOML: {error}") from error
    layer = {}
    for name, raw in table.items():
        source = _place(path, written, name)
        if name not in known:
            raise SettingError(name, source, _no_such_setting(name, known))
        layer[name] = (raw, source)
    return layer


def _config_file(given: Path | str | None, env: Mapping[str, str]) -> Path | None:
    if given:
        return Path(given)
    if env.get(CONFIG_VARIABLE):
        return Path(env[CONFIG_VARIABLE])
    return CONFIG_FILE if CONFIG_FILE.is_file() else None


def _check_owner(file: Path, layer: Layer) -> None:
    """Refuse settings that run code if the file belongs to another user.

    Raises SettingError.
    """
    found = file.stat()
    is_ours = found.st_uid in (0, os.geteuid()) and not found.st_mode & stat.S_IWOTH
    for name in RUN_CODE:
        if name in layer and not is_ours:
            problem = (
                "runs code, and the file belongs to another user or can be written by all: "
                "name the file with --config if this is meant"
            )
            raise SettingError(name, layer[name][1], problem)


def _place(path: Path, written: str, name: str) -> str:
    """Return `file:line` of a key. tomllib has no line numbers; each key starts its own line."""
    for number, line in enumerate(written.splitlines(), start=1):
        if re.match(rf"""\s*(["']?){re.escape(name)}\1\s*=|\s*\[\s*{re.escape(name)}\b""", line):
            return f"{path}:{number}"
    return str(path)


def _read(setting: Declared, raw: Any, source: str) -> Any:
    try:
        return setting.kind.read(raw)
    except (ValueError, KeyError, OverflowError):
        written = setting.kind.mask(str(raw)) if setting.kind.mask else raw
        problem = f"{written!r} is not accepted; it takes {setting.kind.accepts}"
    # Outside the handler, so that the error has no context that could show a masked value.
    raise SettingError(setting.name, source, problem)


def _no_such_setting(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    inside = [setting for setting in known if setting.startswith(f"{name}_")]
    if inside:
        return f"there is no such setting; there are {', '.join(inside)}"
    if near:
        return f"there is no such setting; did you mean {near[0]}?"
    return "there is no such setting; the command `settings` lists them"


def _unknown_variables(env: Mapping[str, str], known: Mapping[str, Declared]) -> Iterable[str]:
    for variable in sorted(env):
        name = variable.removeprefix(PREFIX).lower()
        if not variable.startswith(PREFIX) or variable.startswith(NOT_SETTINGS):
            continue
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {PREFIX}{near[0].upper()}?" if near else ""
            yield f"environment {variable}: there is no such setting{hint}"


def _check_together(settings: Settings, provenance: Provenance) -> None:
    """Check constraints between settings. Raises SettingError."""
    if not settings.kafka_security_protocol.startswith("SASL"):
        return
    because = f"kafka_security_protocol is {settings.kafka_security_protocol}"
    needed: tuple[str, ...] = ("kafka_sasl_mechanism", "kafka_username", "kafka_password")
    if settings.kafka_sasl_mechanism == "OAUTHBEARER":
        because = "kafka_sasl_mechanism is OAUTHBEARER"
        needed = () if settings.kafka_token_command else ("kafka_token_file",)
    for name in needed:
        if not getattr(settings, name):
            raise SettingError(name, provenance[name], f"is needed, because {because}")
