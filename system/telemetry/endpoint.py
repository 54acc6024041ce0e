"""Where Prometheus asks: one address for a run, whatever the number of its processes."""

import socket
from collections.abc import Callable, Iterable
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Protocol

from prometheus_client import (
    CollectorRegistry,
    Metric,
    ProcessCollector,
    disable_created_metrics,
    start_http_server,
)
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.parser import text_string_to_metric_families

from bridges.world import Report
from system.telemetry.catalogue import PREFIX, UP
from system.telemetry.errors import TelemetryError
from system.telemetry.exposition import Exposition, labelled
from system.telemetry.meter import Meter

LOOPBACK = "127.0.0.1"
ANSWER_WITHIN = 2.0
"""Seconds that a worker gets to answer before the others are shown without it."""


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
    """The metrics of all workers of a run; one that does not answer is shown to be down."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def collect(self) -> Iterable[Metric]:
        merged: dict[str, Metric] = {}
        for note in sorted(self._folder.glob("worker-*.metrics")):
            number = note.stem.removeprefix("worker-")
            for family in _ask(note):
                family = labelled(family, number)
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


def note_of(folder: str, number: int) -> Path:
    """Where a worker writes the port at which it tells the first process of its run."""
    return Path(folder) / f"worker-{number}.metrics"


def _ask(note: Path) -> list[Metric]:
    try:
        connection = HTTPConnection(LOOPBACK, int(note.read_text()), timeout=ANSWER_WITHIN)
        try:
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode()
        finally:
            connection.close()
        return list(text_string_to_metric_families(text))
    except (OSError, HTTPException, ValueError):
        return [GaugeMetricFamily(UP.name, UP.help, value=0)]


def _refused(host: str, port: int, error: OSError) -> TelemetryError:
    return TelemetryError(f"metrics cannot be served at {host}:{port}: {error.strerror or error}")


def address_of(setting: str) -> tuple[str, int]:
    """Host and port of HOST:PORT."""
    host, _, port = setting.rpartition(":")
    return host.strip("[]"), int(port)
