"""Sets up the telemetry that the settings enable; imports optional packages only then."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import attrs

from order_sagas.bridges.extras import need
from order_sagas.bridges.processor.messages import Report
from order_sagas.bridges.processor.observers import Observer, Tracing
from order_sagas.bridges.processor.trace_headers import TraceHeaders
from order_sagas.system.log_client import log_access
from order_sagas.system.settings import Settings
from order_sagas.system.telemetry.meter import Meter

Ask = Callable[[], Report | None]

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
"""OpenTelemetry's variables; one of them can replace the setting `otel_endpoint`."""


def _no_op() -> None:
    return None


@attrs.frozen
class Telemetry:
    """The telemetry of one worker; None for what is disabled."""

    meter: Meter | None = None
    tracing: Tracing | None = None
    close: Callable[[], None] = _no_op
    """Exports pending spans, and stops."""

    @property
    def observers(self) -> tuple[Observer, ...]:
        """The observers to be called for every batch."""
        return tuple(observer for observer in (self.meter, self.tracing) if observer)


def check_telemetry(settings: Settings) -> None:
    """Check what the telemetry needs.

    Raises MissingExtraError if a package is missing, TelemetryError if an address is taken, and
    HttpError if the token file cannot be read.
    """
    if settings.metrics:
        need("metrics")
        from order_sagas.system.telemetry.endpoint import address_of, check_address

        check_address(*address_of(settings.metrics))
        if settings.metrics_tokens:
            need("http")
            _reader_check(settings)
    if is_traced(settings):
        need("otel")


def telemetry_of(settings: Settings) -> Telemetry:
    """Set up the telemetry of this process. With tracing, this starts a thread that exports."""
    meter = Meter() if settings.metrics else None
    if not is_traced(settings):
        return Telemetry(meter, TraceHeaders() if settings.trace_headers else None)
    from order_sagas.system.roles import group_of
    from order_sagas.system.telemetry.messaging import KafkaMessaging
    from order_sagas.system.telemetry.tracing import SagaTracing, otlp_processor

    messaging = KafkaMessaging(group_of(settings)) if settings.kafka else None
    tracing = SagaTracing(otlp_processor(settings.otel_endpoint), messaging)
    return Telemetry(meter, tracing, tracing.close)


def is_traced(settings: Settings) -> bool:
    """True if an endpoint for traces is configured and tracing is not disabled."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    if os.environ.get("OTEL_TRACES_EXPORTER", "") == "none":
        return False
    return bool(settings.otel_endpoint) or any(os.environ.get(name) for name in ENDPOINTS)


@contextmanager
def metrics_served(settings: Settings, telemetry: Telemetry, report: Ask) -> Iterator[None]:
    """Serve the metrics of a run of one process, if the settings name an address."""
    if telemetry.meter is None:
        yield
        return
    from order_sagas.system.telemetry.endpoint import Endpoint, Labelled, OneWorker, address_of
    from order_sagas.system.telemetry.role_lag import WithRoleLag

    worker = Labelled(OneWorker(telemetry.meter, report))
    collector = WithRoleLag(worker, log_access(settings, again_and_again=True).lag)
    with Endpoint(*address_of(settings.metrics), collector, _reader_check(settings)):
        yield


@contextmanager
def metrics_of_run(
    settings: Settings, metrics: Callable[[], Mapping[int, str | None]]
) -> Iterator[None]:
    """Serve the metrics of all workers of a supervised run, from its first process.

    `metrics` requests them from the workers; it is called for each scrape, on any thread.
    """
    if not settings.metrics:
        yield
        return
    from order_sagas.system.telemetry.endpoint import Endpoint, WholeRun, address_of
    from order_sagas.system.telemetry.role_lag import WithRoleLag

    collector = WithRoleLag(WholeRun(metrics), log_access(settings, again_and_again=True).lag)
    with Endpoint(*address_of(settings.metrics), collector, _reader_check(settings)):
        yield


def _reader_check(settings: Settings) -> Callable[[str], bool] | None:
    """Return the check of a token against the file of `metrics_tokens`; None if none is set.

    Raises HttpError if the file cannot be read.
    """
    if not settings.metrics_tokens:
        return None
    from order_sagas.bridges.http.server.tokens import Role, Tokens

    tokens = Tokens(Path(settings.metrics_tokens))

    def is_reader(token: str) -> bool:
        caller = tokens.caller_of(token)
        return caller is not None and bool(caller.role & Role.READ)

    return is_reader


def metrics_text(telemetry: Telemetry, report: Ask) -> str:
    """Return this worker's metrics in Prometheus's text format; "" if metrics are disabled."""
    if telemetry.meter is None:
        return ""
    from order_sagas.system.telemetry.endpoint import OneWorker, text_of

    return text_of(OneWorker(telemetry.meter, report))
