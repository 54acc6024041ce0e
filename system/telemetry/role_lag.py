"""The lag of each role, beside the metrics of a run's workers."""

import threading
import time
from collections.abc import Callable, Iterable

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from order_sagas.bridges.errors import BridgeError
from order_sagas.bridges.storage.lag import Lag
from order_sagas.system.telemetry.endpoint import Collects
from order_sagas.system.telemetry.metric_definitions import ROLE_LAG

KEPT = 5.0
"""Seconds for which the lag that was read is cached, to limit requests to Kafka and database."""


class WithRoleLag:
    """Collector of other metrics, and of the records that each role has not handled.

    `lag` reads them from the log and the database; it is called on the endpoint's threads. A role
    that was never started is left out, and all are if they cannot be read.
    """

    def __init__(self, others: Collects, lag: Callable[[], Lag]) -> None:
        self._others = others
        self._lag = lag
        self._reading = threading.Lock()
        self._kept: Lag | None = None
        self._kept_at = float("-inf")

    def collect(self) -> Iterable[Metric]:
        """Yield the other metrics, then the lag."""
        yield from self._others.collect()
        lag = self._read()
        if lag is None:
            return
        family = GaugeMetricFamily(ROLE_LAG.name, ROLE_LAG.help, labels=ROLE_LAG.labels)
        for role, count in lag.roles.items():
            if count is not None:
                family.add_metric((role,), count)
        yield family

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering does not call `collect`."""
        return ()

    def _read(self) -> Lag | None:
        with self._reading:
            if time.monotonic() - self._kept_at > KEPT:
                try:
                    self._kept = self._lag()
                except BridgeError:
                    self._kept = None
                self._kept_at = time.monotonic()
            return self._kept
