"""Commands that are suggested to people: whole, so that they can be pasted."""

import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from order_sagas.system.settings.model import Declared, declared
from order_sagas.system.settings.options import given_flags

_LOG = ("database", "partitions", "kafka")
TAKEN: Mapping[str, tuple[str, ...] | None] = {
    "start": None,  # every setting that is no secret
    "submit": _LOG,
    "resume": _LOG,
    "unpause": _LOG,
    "dead-letters replay": _LOG,
    "database migrate": ("database",),
    "topics create": ("kafka", "partitions"),
    "trace": ("database", "log_dir"),
    "show": ("database",),
    "orders": ("database",),
    "sagas": ("database",),
    "http token": (),
    "simulate": (),
}
"""Commands that are suggested, with their flags that decide which system they are about.

Stated here, because loading `start` to look takes longer than many a command that suggests it.
"""
NO_CONFIG = frozenset({"http token", "simulate"})
"""Those that take no --config."""
SAME_SYSTEM = frozenset({"database", "partitions", "log_dir", "kafka"})
"""Settings that decide which system a command is about; those of Kafka's login go along."""


def suggestion(*words: str, **settings: str) -> str:
    """`order-sagas WORDS...`, quoted for a shell, about the system that this command is about.

    Flags that say which system that is are repeated, as far as the suggested command takes them;
    what the environment or a file says holds for it anyway. How to log in to Kafka is repeated as
    variables, since most commands have no flags for it. Passwords are masked. `settings` are flags
    that are needed in any case. Raises KeyError for a command that is not in TAKEN.
    """
    flags = {**{name: str(value) for name, value in given_flags().items()}, **settings}
    known = {setting.name: setting for setting in declared()}
    name = _name(words)
    takes = TAKEN[name]
    variables: list[str] = []
    more: list[str] = []
    if "config" in flags and name not in NO_CONFIG:
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
    """How this program was called, so that what is suggested can be typed."""
    called = Path(sys.argv[0])
    if shutil.which("order-sagas") or called.name != "order-sagas":
        return "order-sagas"
    path = called.resolve()
    if path.is_relative_to(Path.cwd()):
        return shlex.quote(str(path.relative_to(Path.cwd())))
    return shlex.quote(str(path))


def _name(words: tuple[str, ...]) -> str:
    """The command without its arguments, as TAKEN has it."""
    both = " ".join(words[:2])
    return both if both in TAKEN else words[0]


def _flag(setting: Declared, value: str) -> list[str]:
    if setting.kind.accepts == "true or false":
        return [setting.flag if value == "True" else f"--no-{setting.flag[2:]}"]
    return [setting.flag, value]
