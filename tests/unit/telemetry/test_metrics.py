"""The metrics of workers, and their form for Prometheus."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import attrs
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from order_sagas.actors.entities import Notification
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.bridges.processor.messages import Report
from order_sagas.system.telemetry.endpoint import Labelled, OneWorker, WholeRun, text_of
from order_sagas.system.telemetry.exposition import Exposition
from order_sagas.system.telemetry.histogram import Distribution
from order_sagas.system.telemetry.meter import Meter
from order_sagas.system.telemetry.metric_definitions import METRICS, PROCESS
from tests.support.embedded import Crash, EmbeddedSystem, an_order

REPORT = Report(
    shards=[0, 1],
    in_flight=7,
    batches=1,
    records=9,
    ended=2,
    dead_letters=0,
    seconds=1.0,
    begun_rate=0.0,
    ended_rate=0.0,
)
Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]


def metered(directory: Path, **more: Any) -> tuple[EmbeddedSystem, Meter]:
    """A system with a meter."""
    system, meter = EmbeddedSystem(directory, **more), Meter()
    system.parts = attrs.evolve(system.parts, observers=(meter,))
    return system, meter


def shown(collector: Any) -> Samples:
    """Every sample, through the text that Prometheus gets."""
    registry = CollectorRegistry()
    registry.register(collector)
    families = text_string_to_metric_families(generate_latest(registry).decode())
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in families
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    """One of them."""
    return samples[f"order_sagas_{name}", frozenset(labels.items())]


def test_orders_are_counted_by_how_they_end(tmp_path: Path) -> None:
    """From their acceptance to their end, with every transition on the way."""
    gateway = SimulatedGateway(decline_customers=frozenset({"poor"}))
    system, meter = metered(tmp_path, gateway=gateway)
    with system:
        system.load({"PEN": 100})
        system.put(an_order("o-1"), an_order("o-2"), an_order("o-3", customer_id="poor"))
        samples = shown(Exposition(meter, lambda: None))
    saga = {"saga": "place-order"}

    assert 3 == value(samples, "sagas_started_total", **saga)
    assert 2 == value(samples, "sagas_ended_total", status="COMPLETED", **saga)
    assert 1 == value(samples, "sagas_ended_total", status="CANCELLED", **saga)
    assert 2 == value(
        samples, "transitions_total", transition="step_completed", step="reserve stock", **saga
    )
    assert 1 == value(samples, "transitions_total", transition="cancelled", step="", **saga)
    assert 2 == value(samples, "saga_seconds_count", status="COMPLETED", **saga)
    assert 1 == value(
        samples, "step_seconds_count", step="process payment", outcome="failed", **saga
    )
    assert 0 == value(samples, "worker_up")


def test_a_timeout_is_measured_by_how_long_it_waited(tmp_path: Path) -> None:
    """And by its delay, which is 0 on virtual time."""
    system, meter = metered(tmp_path, settings={"payment_silent_rate": 1.0})
    with system:
        system.load({"PEN": 100})
        system.put(an_order("o-1"))
        system.advance(300)
        samples = shown(Exposition(meter, lambda: None))
    step = {"saga": "place-order", "step": "process payment"}

    assert 1 == value(samples, "step_seconds_count", outcome="timed_out", **step)
    assert 30 == value(samples, "step_seconds_sum", outcome="timed_out", **step)
    assert 0 == value(samples, "step_seconds_bucket", outcome="timed_out", le="10.0", **step)
    assert 1 == value(samples, "step_seconds_bucket", outcome="timed_out", le="30.0", **step)
    assert 0 == value(samples, "timeout_lateness_seconds_sum", saga="place-order")
    assert 1 == value(samples, "timeout_lateness_seconds_count", saga="place-order")


def test_a_rolled_back_batch_is_not_counted(tmp_path: Path) -> None:
    """A crash before the commit counts nothing; the repetition counts once."""
    dying = [True]

    def watch(point: str) -> None:
        if point == "before commit" and system.running and dying:
            raise Crash

    system, meter = metered(tmp_path, watch=watch)
    dying.clear()
    with system:
        system.load({"PEN": 100})
        dying.append(True)
        with pytest.raises(Crash):
            system.put(an_order("o-1"))
        assert not meter.transitions
        dying.clear()
        system.restart()
        samples = shown(Exposition(meter, lambda: None))

    assert 1 == value(samples, "sagas_started_total", saga="place-order")


class Broken(Meter):
    """An observer that raises."""

    def committed(self, *batch: object) -> None:
        raise ZeroDivisionError("no way")


def test_an_observer_that_raises_does_not_stop_the_system(tmp_path: Path) -> None:
    """The error is logged; orders are handled."""
    with EmbeddedSystem(tmp_path) as system:
        system.parts = attrs.evolve(system.parts, observers=(Broken(),))
        system.restart()
        system.load({"PEN": 10})
        system.put(an_order("o-1"))

        assert "COMPLETED" == system.status("o-1")
        lines = [json.loads(line) for line in system.logged.lines]
        failures = [line for line in lines if line["event"] == "observer.failed"]
        assert {"no way"} == {line["error"] for line in failures}


def test_dead_letters_and_batches_are_counted(tmp_path: Path) -> None:
    """Whatever the records are."""
    system, meter = metered(tmp_path)
    with system:
        assert system.running
        system.put_raw("order-events", b"not JSON")
        samples = shown(Exposition(meter, lambda: None))

    assert 1 == value(samples, "dead_letters_total")
    assert 1 == value(samples, "batch_records_bucket", le="1.0")
    assert 1 == value(samples, "commit_seconds_count")
    assert 0 == value(samples, "rollbacks_total")


class NoMailServer:
    """A channel that always fails."""

    name = "mail"
    local = False

    def send(self, notification: Notification, now: float) -> None:
        """Refuse."""
        raise ConnectionRefusedError("port 25 is closed")


def test_failed_calls_are_counted_by_operation_and_reason(tmp_path: Path) -> None:
    """Each attempt counts."""
    system, meter = metered(tmp_path, channel=NoMailServer())
    with system:
        system.load({"PEN": 100})
        system.put(an_order("o-1"), an_order("o-2"))
        system.advance(1.0)
        samples = shown(Exposition(meter, lambda: None))

    assert 4 == value(
        samples, "external_call_failures_total",
        service="notifications", operation="send", reason="exception",
    )  # fmt: skip


def test_calls_under_way_and_stale_acknowledgements_are_shown() -> None:
    """As the processor reports them."""
    report = attrs.evolve(REPORT, calls={"payments": 3}, stale_acks=2)
    samples = shown(Exposition(Meter(), lambda: report))

    assert 3 == value(samples, "worker_external_calls", service="payments")
    assert 2 == value(samples, "stale_acknowledgements_total")


def test_a_distribution_counts_what_is_not_above_a_bound() -> None:
    """As Prometheus defines `le`."""
    distribution = Distribution((1.0, 2.0))
    distribution.add([0.5, 1.0, 1.5, 9.0])

    assert [("1.0", 2.0), ("2.0", 3.0), ("+Inf", 4.0)] == distribution.buckets
    assert 12.0 == distribution.total


def names(families: Iterable[Any]) -> set[str]:
    """As Prometheus keeps them; those of histograms without their endings."""
    return {f.name + ("_total" if f.type == "counter" else "") for f in families}


def test_the_definitions_name_all_exposed_metrics() -> None:
    """All of it, and nothing else."""
    exposed = names(OneWorker(Meter(), lambda: REPORT).collect())

    assert {metric.name for metric in (*METRICS, *PROCESS)} == exposed


def test_one_endpoint_shows_every_worker_of_a_run() -> None:
    """A worker that does not answer is shown to be down, and does not hide the others."""
    first, second = Meter(), Meter()
    first.rolled_back()
    texts: dict[int, str | None] = {
        number: text_of(OneWorker(meter, lambda: None))
        for number, meter in enumerate((first, second))
    }
    both = shown(WholeRun(lambda: texts))
    texts[1] = None
    left = shown(WholeRun(lambda: texts))

    assert 1 == value(both, "rollbacks_total", worker="0")
    assert 0 == value(both, "rollbacks_total", worker="1")
    assert 1 == value(left, "rollbacks_total", worker="0")
    assert 0 == value(left, "worker_up", worker="1")
    assert ("order_sagas_rollbacks_total", frozenset({("worker", "1")})) not in left


def test_a_run_of_one_worker_looks_the_same() -> None:
    """Its metrics have the same names and labels."""
    samples = shown(Labelled(OneWorker(Meter(), lambda: REPORT)))

    assert 1 == value(samples, "worker_up", worker="0")
    assert 2 == value(samples, "worker_shards", worker="0")
    assert 7 == value(samples, "worker_sagas_in_flight", worker="0")
    assert value(samples, "process_cpu_seconds_total", worker="0") > 0
