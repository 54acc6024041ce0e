"""The error of telemetry settings that cannot be applied."""

from order_sagas.bridges.errors import BridgeError


class TelemetryError(BridgeError):
    """Metrics cannot be served, or traces exported, as the settings specify."""
