"""Settings: declared once, read from flags, environment and file, each with where it came from."""

from system.settings.errors import SettingError
from system.settings.load import Provenance, load_settings
from system.settings.model import Settings
from system.settings.options import settings_options

__all__ = ["Provenance", "SettingError", "Settings", "load_settings", "settings_options"]
