"""Where Prometheus asks: one address for a run, whatever the number of its processes."""

import socket
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from bridges.messages import Report
from system.telemetry.catalogue import PREFIX, UP
from system.telemetry.errors import TelemetryError
from system.telemetry.exposition import Exposition, labelled
from system.telemetry.meter import Meter


class Collects(Protocol):
    """What prometheus-client calls a collector."""

    def collect(self) -> Iterable[Metric]: ...


class Endpoint:
    """Serves what a collector has, on threads of its own, until it is closed.

    Raises TelemetryError if the address cannot be served at. Port 0 is any that is free.
    """

    def __init__(self, host: str, port: int, collector: Collects) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]
        registry = CollectorRegistry()
        registry.register(collector)
        try:
            self._server, self._thread = start_http_server(port, host, registry)
        except OSError as error:
            raise _refused(host, port, error) from error
        self.port: int = self._server.server_port

    def close(self) -> None:
        """Let go of the address."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> "Endpoint":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class OneWorker:
    """What this process has counted, and what the machine says of it."""

    def __init__(self, meter: Meter, report: Callable[[], Report | None]) -> None:
        self._registry = CollectorRegistry()
        ProcessCollector(namespace=PREFIX.rstrip("_"), registry=self._registry)
        self._registry.register(Exposition(meter, report))

    def collect(self) -> Iterable[Metric]:
        return self._registry.collect()

    def describe(self) -> Iterable[Metric]:
        return ()


class Labelled:
    """The metrics of a run that has one worker."""

    def __init__(self, worker: OneWorker) -> None:
        self._worker = worker

    def collect(self) -> Iterable[Metric]:
        return [labelled(family, "0") for family in self._worker.collect()]

    def describe(self) -> Iterable[Metric]:
        return ()


class WholeRun:
    """The metrics of all workers of a run; one that does not answer is shown to be down.

    `metrics` returns them by the number of the worker, in Prometheus's text format.
    """

    def __init__(self, metrics: Callable[[], Mapping[int, str | None]]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for number, text in sorted(self._metrics().items()):
            for family in _families(text):
                family = labelled(family, str(number))
                known = merged.setdefault(family.name, family)
                if known is not family:
                    known.samples += family.samples
        return merged.values()

    def describe(self) -> Iterable[Metric]:
        return ()


def check_address(host: str, port: int) -> None:
    """Raise TelemetryError if metrics could not be served there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        socket.create_server((host, port), family=family).close()
    except OSError as error:
        raise _refused(host, port, error) from error


def text_of(collector: Collects) -> str:
    """What a collector has, in Prometheus's text format."""
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def _families(text: str | None) -> list[Metric]:
    if not text:
        return [GaugeMetricFamily(UP.name, UP.help, value=0)]
    return list(text_string_to_metric_families(text))


def _refused(host: str, port: int, error: OSError) -> TelemetryError:
    return TelemetryError(f"metrics cannot be served at {host}:{port}: {error.strerror or error}")


def address_of(setting: str) -> tuple[str, int]:
    """Host and port of HOST:PORT."""
    host, _, port = setting.rpartition(":")
    return host.strip("[]"), int(port)
