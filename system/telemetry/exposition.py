"""Converts the counts of a meter to Prometheus metrics."""

from collections.abc import Callable, Iterable

from prometheus_client import Metric
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)

from order_sagas.bridges.processor.messages import Report
from order_sagas.system.telemetry import metric_definitions as catalogue
from order_sagas.system.telemetry.histogram import Distribution
from order_sagas.system.telemetry.meter import Meter
from order_sagas.system.telemetry.metric_definitions import WORKER, Described

OUTCOMES = {
    "saga.step_completed": "done",
    "saga.step_failed": "failed",
    "saga.step_refused": "failed",
    "saga.step_timed_out": "timed_out",
    "saga.step_undone": "undone",
    "saga.undo_timed_out": "undo_timed_out",
}
ENDS = {"saga.completed": "COMPLETED", "saga.cancelled": "CANCELLED"}


class Exposition:
    """A prometheus-client collector for one worker. `report` queries its batch processor.

    It is called on the endpoint's threads, while the event loop continues to count.
    """

    def __init__(self, meter: Meter, report: Callable[[], Report | None]) -> None:
        self._meter = meter
        self._report = report

    def collect(self) -> Iterable[Metric]:
        """Yield the current metrics of the worker."""
        yield from self._transitions()
        yield from self._batches()
        yield from self._processor()

    def describe(self) -> Iterable[Metric]:
        """Return nothing, so that registering, before the loop runs, does not call `collect`."""
        return ()

    def _transitions(self) -> Iterable[Metric]:
        started, ended = _counter(catalogue.STARTED), _counter(catalogue.ENDED)
        transitions = _counter(catalogue.TRANSITIONS)
        steps, sagas = _histogram(catalogue.STEPS), _histogram(catalogue.SAGAS)
        lateness = _histogram(catalogue.LATENESS)
        for (saga, event, step), took in list(self._meter.transitions.items()):
            count = sum(took.counts)
            transitions.add_metric((saga, event.removeprefix("saga."), step), count)
            if event == "saga.started":
                started.add_metric((saga,), count)
            elif event in ENDS:
                ended.add_metric((saga, ENDS[event]), count)
                _add(sagas, took, saga, ENDS[event])
            elif event in OUTCOMES:
                _add(steps, took, saga, step, OUTCOMES[event])
        for saga, late in list(self._meter.lateness.items()):
            _add(lateness, late, saga)
        yield from (started, ended, transitions, steps, sagas, lateness)

    def _batches(self) -> Iterable[Metric]:
        meter = self._meter
        for described, distribution in (
            (catalogue.RECORDS, meter.records),
            (catalogue.COMMITS, meter.commits),
            (catalogue.AGES, meter.ages),
        ):
            family = _histogram(described)
            _add(family, distribution)
            yield family
        yield _counter(catalogue.DEAD_LETTERS, meter.dead_letters)
        yield _counter(catalogue.ROLLBACKS, meter.rollbacks)
        failures = _counter(catalogue.CALL_FAILURES)
        for labels, count in list(meter.call_failures.items()):
            failures.add_metric(labels, count)
        yield failures

    def _processor(self) -> Iterable[Metric]:
        report = self._report()
        yield _gauge(catalogue.UP, int(report is not None))
        if report is not None:
            yield _gauge(catalogue.IN_FLIGHT, report.in_flight)
            yield _gauge(catalogue.SHARDS, len(report.shards))
            yield _gauge(catalogue.EARLY_REPLIES, report.early_replies)
            yield _gauge(catalogue.STOPPED_SHARDS, report.stopped_shards)
            yield _counter(catalogue.PRUNED, report.pruned)
            yield _counter(catalogue.STALE_ACKS, report.stale_acks)
            calls = GaugeMetricFamily(
                catalogue.CALLS.name, catalogue.CALLS.help, labels=catalogue.CALLS.labels
            )
            for service, count in report.calls.items():
                calls.add_metric((service,), count)
            yield calls


def labelled(family: Metric, worker: str) -> Metric:
    """Return a copy of the metric with the label of the worker."""
    samples = [s._replace(labels={**s.labels, WORKER: worker}) for s in family.samples]
    labelled = Metric(family.name, family.documentation, family.type)
    labelled.samples = samples
    return labelled


def _counter(described: Described, value: float | None = None) -> CounterMetricFamily:
    labels = described.labels or None
    return CounterMetricFamily(described.name, described.help, value=value, labels=labels)


def _gauge(described: Described, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(described.name, described.help, value=value)


def _histogram(described: Described) -> HistogramMetricFamily:
    return HistogramMetricFamily(described.name, described.help, labels=described.labels)


def _add(family: HistogramMetricFamily, distribution: Distribution, *labels: str) -> None:
    family.add_metric(labels, distribution.buckets, distribution.total)
