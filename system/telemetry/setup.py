"""What the settings ask a process to tell of itself; imports nothing that they do not ask for."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import attrs

from bridges.extras import need
from bridges.messages import Report
from bridges.observer import Observer, Tracing
from system.settings import Settings
from system.telemetry.meter import Meter

Ask = Callable[[], Report | None]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's own variables; one of them does for the setting."""


def _nothing() -> None:
    return None


@attrs.frozen
class Telemetry:
    """For one worker."""

    meter: Meter | None = None
    tracing: Tracing | None = None
    close: Callable[[], None] = _nothing
    """Export what waits, and stop."""

    @property
    def observers(self) -> tuple[Observer, ...]:
        """Those who are told of every batch."""
        return tuple(observer for observer in (self.meter, self.tracing) if observer)


def check_telemetry(settings: Settings) -> None:
    """Raise MissingExtraError or, if an address is taken, TelemetryError: before anything runs."""
    if settings.metrics:
        need("metrics")
        from system.telemetry.endpoint import address_of, check_address

        check_address(*address_of(settings.metrics))
    if is_traced(settings):
        need("otel")


def telemetry_of(settings: Settings) -> Telemetry:
    """For this process; traces are exported by a thread that it gets now."""
    meter = Meter() if settings.metrics else None
    if not is_traced(settings):
        return Telemetry(meter)
    from system.telemetry.tracing import SagaTracing, otlp_processor

    tracing = SagaTracing(otlp_processor(settings.otel_endpoint))
    return Telemetry(meter, tracing, tracing.close)


def is_traced(settings: Settings) -> bool:
    """Whether somebody said where traces go, and nobody that there are to be none."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "") == "none":
        return False
    return bool(settings.otel_endpoint) or any(os.environ.get(name) for name in ENDPOINTS)


@contextmanager
def metrics_served(settings: Settings, telemetry: Telemetry, report: Ask) -> Iterator[None]:
    """Those of a run of one process, at the address that the settings name, if they name one."""
    if telemetry.meter is None:
        yield
        return
    from system.telemetry.endpoint import Endpoint, Labelled, OneWorker, address_of

    with Endpoint(*address_of(settings.metrics), Labelled(OneWorker(telemetry.meter, report))):
        yield


@contextmanager
def metrics_of_run(
    settings: Settings, metrics: Callable[[], Mapping[int, str | None]]
) -> Iterator[None]:
    """Serve the metrics of all workers of a supervised run, from its first process.

    `metrics` asks the workers for theirs; it is called for each request, on any thread.
    """
    if not settings.metrics:
        yield
        return
    from system.telemetry.endpoint import Endpoint, WholeRun, address_of

    with Endpoint(*address_of(settings.metrics), WholeRun(metrics)):
        yield


def metrics_text(telemetry: Telemetry, report: Ask) -> str:
    """The metrics of this worker in Prometheus's text format; empty if it keeps none."""
    if telemetry.meter is None:
        return ""
    from system.telemetry.endpoint import OneWorker, text_of

    return text_of(OneWorker(telemetry.meter, report))
