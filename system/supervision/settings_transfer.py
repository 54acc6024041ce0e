"""Converts settings to plain data and back, to send them to a child process."""

import os
from pathlib import Path
from typing import Any

import attrs
import msgspec

from order_sagas.system.settings import Settings


def settings_to_plain(settings: Settings) -> dict[str, Any]:
    """Return all settings by name. Paths are encoded by the hook in `channel`."""
    return attrs.asdict(settings, recurse=False)


def settings_from_plain(plain: dict[str, Any]) -> Settings:
    """Return the settings. Raises msgspec.ValidationError for a value of a wrong type."""
    # Field by field: msgspec does not decode attrs classes whose defaults depend on other fields.
    return Settings(
        **{
            field.name: msgspec.convert(plain[field.name], field.type, dec_hook=_path_from_bytes)
            for field in attrs.fields(Settings)
        }
    )


def _path_from_bytes(kind: type, value: Any) -> Any:
    if issubclass(kind, Path):
        return value if isinstance(value, Path) else kind(os.fsdecode(value))
    raise NotImplementedError(f"{kind.__name__} is not sent between processes")
