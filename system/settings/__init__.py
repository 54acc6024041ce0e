"""Settings: declared once, and read from flags, environment and file with their provenance."""

from order_sagas.system.settings.errors import SettingError
from order_sagas.system.settings.load import Provenance, load_settings
from order_sagas.system.settings.model import Settings
from order_sagas.system.settings.options import settings_options

__all__ = ["Provenance", "SettingError", "Settings", "load_settings", "settings_options"]
