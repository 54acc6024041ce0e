"""Settings as plain data for a child process; they hold secrets, so not on its command line."""

import os
from pathlib import Path
from typing import Any

import attrs
import msgspec

from system.settings import Settings


def settings_to_plain(settings: Settings) -> dict[str, Any]:
    """Every setting by its name, as msgspec encodes it; paths are left to the encoding hook."""
    return attrs.asdict(settings, recurse=False)


def settings_from_plain(plain: dict[str, Any]) -> Settings:
    """The settings that were sent. Raises msgspec.ValidationError for a value of a wrong type."""
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
