"""Formats settings: as JSON, a TOML template, and a Markdown table."""

from typing import Any

import orjson

from order_sagas.system.settings.load import Provenance
from order_sagas.system.settings.model import Settings, declared


def settings_json(settings: Settings, provenance: Provenance) -> bytes:
    """Return JSON by setting: value (masked if secret), source, accepted values, help."""
    rows: dict[str, Any] = {}
    for setting in declared():
        value = getattr(settings, setting.name)
        shown = setting.kind.show(value)
        plain = value if isinstance(value, (bool, int, float, tuple, type(None))) else shown
        rows[setting.name] = {
            "value": plain,
            "source": provenance[setting.name],
            "accepts": setting.kind.accepts,
            "help": setting.help,
        }
    return orjson.dumps(rows, option=orjson.OPT_INDENT_2)


def settings_toml() -> str:
    """Return a settings file with every setting at its default, commented out."""
    lines = ["# Settings of order-sagas. Flags and the environment overrule this file."]
    for setting in declared():
        lines += ["", f"# {setting.help}", f"# Takes {setting.kind.accepts}."]
        lines.append(f'# {setting.name} = "{setting.default}"')
    return "\n".join(lines) + "\n"


def settings_markdown() -> str:
    """Return a Markdown table of all settings."""
    lines = ["| setting | default | accepts | what it does |", "|---|---|---|---|"]
    for setting in declared():
        default = f"`{setting.default}`" if setting.default else ""
        lines.append(f"| `{setting.name}` | {default} | {setting.kind.accepts} | {setting.help} |")
    return "\n".join(lines) + "\n"
