"""Suggested commands, complete with flags, ready to be pasted into a shell."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from order_sagas.system.settings.model import Declared, declared
from order_sagas.system.settings.options import given_flags

_LOG = ("app", "database", "partitions", "kafka")
TAKEN: Mapping[str, tuple[str, ...] | None] = {
    "start": None,  # every setting that is not a secret
    "submit": _LOG,
    "resume": _LOG,
    "retry": _LOG,
    "unpause": _LOG,
    "actions approve": _LOG,
    "dead-letters replay": _LOG,
    "dead-letters discard": _LOG,
    "dead-letters list": _LOG,
    "status": ("app", "database", "partitions", "log_dir", "kafka"),
    "stop": ("database", "log_dir", "kafka"),
    "database migrate": ("database",),
    "topics create": ("app", "database", "kafka", "partitions"),
    "trace": ("database", "log_dir"),
    "show": ("app", "database"),
    "orders": ("app", "database"),
    "sagas": ("app", "database"),
    "sagas start": _LOG,
    "http token": ("database",),
    "simulate": ("app",),
    "messages": ("app",),
}
"""Suggestible commands, with those of their flags that identify a system.

Listed here, because importing a command such as `start` to read its flags takes long.
"""
SAME_SYSTEM = frozenset({"app", "database", "partitions", "log_dir", "kafka"})
"""Settings that identify a system, besides those of the Kafka login."""


def suggestion(*words: str, **settings: str) -> str:
    """Return `order-sagas WORDS...`, quoted for a shell, for the system of the current command.

    Flags of the current command that identify the system are repeated, if the suggested command
    has them; the environment and the file apply to it anyway. Kafka login settings are repeated as
    variables, since most commands have no flags for them. Passwords are masked. `settings` are
    flags to add in any case. Raises KeyError for a command that is not in TAKEN.
    """
    flags = {**{name: str(value) for name, value in given_flags().items()}, **settings}
    known = {setting.name: setting for setting in declared()}
    name = _name(words)
    takes = TAKEN[name]
    variables: list[str] = []
    more: list[str] = []
    if "config" in flags:
        more += ["--config", flags["config"]]
    for setting in (known[each] for each in flags if each in known):
        if not (setting.name in SAME_SYSTEM or setting.name.startswith("kafka_")):
            continue
        value = flags[setting.name]
        shown = setting.kind.mask(value) if setting.kind.mask else value
        if takes is None or setting.name in takes:
            more += _flag(setting, shown)
        elif "kafka" in takes and setting.name.startswith("kafka_"):
            variables.append(f"{setting.variable}={shlex.quote(shown)}")
    return " ".join([*variables, program(), shlex.join([*words, *more])])


def program() -> str:
    """Return the name or path by which this program can be called from the shell."""
    called = Path(sys.argv[0])
    if shutil.which("order-sagas") or called.name != "order-sagas":
        return "order-sagas"
    path = called.resolve()
    if path.is_relative_to(Path.cwd()):
        return shlex.quote(str(path.relative_to(Path.cwd())))
    return shlex.quote(str(path))


def _name(words: tuple[str, ...]) -> str:
    """Return the key of TAKEN for a command with arguments."""
    both = " ".join(words[:2])
    return both if both in TAKEN else words[0]


def _flag(setting: Declared, value: str) -> list[str]:
    if setting.kind.accepts == "true or false":
        return [setting.flag if value == "True" else f"--no-{setting.flag[2:]}"]
    return [setting.flag, value]
