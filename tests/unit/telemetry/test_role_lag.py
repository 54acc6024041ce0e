"""The lag of each role in the metrics of a run."""

from pathlib import Path

import attrs
import httpx

from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.storage.lag import Lag
from order_sagas.system.settings import Settings
from order_sagas.system.telemetry.endpoint import WholeRun, text_of
from order_sagas.system.telemetry.role_lag import WithRoleLag
from order_sagas.system.telemetry.setup import (
    Telemetry,
    metrics_of_run,
    metrics_served,
    telemetry_of,
)
from tests.support.embedded import EmbeddedSystem
from tests.support.ports import free_port


class Source:
    """Lags that are given; None raises."""

    def __init__(self, *lags: Lag | None) -> None:
        self._lags = list(lags)

    def __call__(self) -> Lag:
        """Return the next one."""
        lag = self._lags.pop(0)
        if lag is None:
            raise StoreUnavailableError("away")
        return lag


def test_each_role_that_was_started_has_a_line() -> None:
    """Beside the metrics of the workers, without their label; read once for several scrapes."""
    lag = Lag({}, {"orchestrator": 3, "payments": 0, "stock": None})
    collector = WithRoleLag(WholeRun(lambda: {0: None}), Source(lag))
    text = text_of(collector)

    assert 'order_sagas_role_records_waiting{role="orchestrator"} 3.0' in text
    assert 'order_sagas_role_records_waiting{role="payments"} 0.0' in text
    assert "stock" not in text
    assert 'order_sagas_worker_up{worker="0"} 0.0' in text
    assert text == text_of(collector)


def test_without_database_or_kafka_the_workers_metrics_are_there() -> None:
    """A scrape does not fail because of the lag."""
    text = text_of(WithRoleLag(WholeRun(lambda: {0: None}), Source(None)))

    assert "order_sagas_worker_up" in text
    assert "role_records_waiting" not in text


def test_a_run_serves_it_with_one_worker_and_with_several(tmp_path: Path) -> None:
    """From the log and the database that the settings name."""
    with EmbeddedSystem(tmp_path) as system:
        system.put_raw("order-events", b'{"orderId": "o-1", "status": "ORDER_CREATED"}', b"o-1")
        settings = attrs.evolve(system.settings, metrics=f"127.0.0.1:{free_port()}")
        telemetry: Telemetry = telemetry_of(settings)
        with metrics_served(settings, telemetry, lambda: None):
            one = scraped(settings)
        with metrics_of_run(settings, lambda: {}):
            several = scraped(settings)

    for text in (one, several):
        assert 'order_sagas_role_records_waiting{role="orchestrator"} 0.0' in text


def scraped(settings: Settings) -> str:
    """What Prometheus gets."""
    return httpx.get(f"http://{settings.metrics}/metrics").text
