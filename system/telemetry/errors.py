"""What can be wrong with what a system was asked to tell of itself."""

from order_sagas.bridges.errors import BridgeError


class TelemetryError(BridgeError):
    """Metrics or traces cannot be had as they are asked for; says what to do."""
