"""The dashboard and the alerts query existing metrics; the documentation names all of them."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from order_sagas.bridges.http.api.metrics import MetricRoutes
from order_sagas.bridges.http.api.read_model import ReadModel
from order_sagas.bridges.http.config import Dependencies
from order_sagas.bridges.logs.embedded import EmbeddedLetters, EmbeddedLog
from order_sagas.bridges.storage.lag import Lag
from order_sagas.system.bootstrap import Parts
from order_sagas.system.settings import Settings
from order_sagas.system.telemetry.metric_definitions import METRICS, PROCESS
from tests.support.embedded import EmbeddedSystem, an_order

yaml = pytest.importorskip("yaml", reason="PyYAML reads the alerts")

ROOT = Path(__file__).parents[3]
DASHBOARD = json.loads(
    (ROOT / "observability" / "grafana" / "dashboards" / "order-sagas.json").read_text()
)
ALERTS = yaml.safe_load((ROOT / "observability" / "prometheus" / "alerts.yml").read_text())
DOCUMENT = (ROOT / "docs" / "observability.md").read_text()
NAME = re.compile(r"order_sagas_[a-z_]+")


def of_workers() -> set[str]:
    """The names of what workers expose, each sample's."""
    endings = {"histogram": ("_bucket", "_sum", "_count")}
    return {
        metric.name + ending
        for metric in (*METRICS, *PROCESS)
        for ending in endings.get(metric.kind, ("",))
    }


@pytest.fixture
def of_http(tmp_path: Path) -> set[str]:
    """The names of what the HTTP process exposes, each sample's."""
    with EmbeddedSystem(tmp_path, settings={"payment_silent_rate": 1.0}) as system:
        system.put(an_order("o-1"))
        settings: Settings = system.settings
    registry = Parts(settings=settings).registry
    around = Dependencies(
        database=settings.database,
        registry=registry,
        open_log=lambda: EmbeddedLog(settings.database, settings.partitions),
        letters=lambda: EmbeddedLetters(settings.database),
        running=lambda: 1,
        lag=lambda: Lag({"order-events": 1}, {"orders": 1}),
    )
    routes = MetricRoutes(around, ReadModel(settings.database, registry), lambda: 0)
    routes.observe("GET", "/v1/orders", 200, 0.1)
    exposed: CollectorRegistry = routes._registry
    lines = generate_latest(exposed).decode().splitlines()
    return {re.split(r"[{ ]", line)[0] for line in lines if not line.startswith("#")}


def queries() -> Iterator[str]:
    """Every query of the dashboard and of the alerts."""
    for panel in DASHBOARD["panels"]:
        yield from (target["expr"] for target in panel.get("targets", ()))
    yield from (each["query"]["query"] for each in DASHBOARD["templating"]["list"][1:])
    yield from (rule["expr"] for group in ALERTS["groups"] for rule in group["rules"])


def test_every_query_asks_for_metrics_that_exist(of_http: set[str]) -> None:
    """A mistyped one would be an empty panel, or an alert that never fires."""
    asked = {name for query in queries() for name in NAME.findall(query)}

    assert asked
    assert set() == asked - of_workers() - of_http


def test_every_label_in_a_query_is_one_that_the_metric_has() -> None:
    """Those of workers; `instance`, `worker` and `le` come with every one of them."""
    known = {
        metric.name + ending: {*metric.labels, "worker", "instance", "le"}
        for metric in (*METRICS, *PROCESS)
        for ending in ("", "_bucket", "_sum", "_count")
    }
    for query in queries():
        labels = {
            label
            for grouped in re.findall(r"by \(([^)]*)\)", query)
            for label in re.split(r",\s*", grouped)
        }
        labels |= set(re.findall(r"([a-z_]+)=~?\"", query))
        asked = [name for name in NAME.findall(query) if name in known]
        for name in asked:
            assert labels <= known[name], (query, name)


def test_the_dashboard_is_valid_for_grafana() -> None:
    """Ids are unique, panels do not overlap, and each has a query."""
    panels: list[dict[str, Any]] = DASHBOARD["panels"]
    places = [
        (x, y)
        for grid in (panel["gridPos"] for panel in panels)
        for x in range(grid["x"], grid["x"] + grid["w"])
        for y in range(grid["y"], grid["y"] + grid["h"])
    ]

    assert len(panels) == len({panel["id"] for panel in panels})
    assert len(places) == len(set(places))
    assert all(panel["type"] == "row" or panel["targets"] for panel in panels)
    assert {"title", "uid", "schemaVersion", "templating", "time"} <= set(DASHBOARD)


def test_every_metric_of_the_workers_has_a_row_in_the_documentation() -> None:
    """With its kind, its labels and what it means, word for word."""
    rows = [
        f"| `{metric.name}` | {metric.kind} | {', '.join(f'`{x}`' for x in metric.labels)} | "
        f"{metric.help} |"
        for metric in (*METRICS, *PROCESS)
    ]

    assert [] == [row for row in rows if row not in DOCUMENT.splitlines()]


def test_the_documentation_names_no_metric_that_does_not_exist(of_http: set[str]) -> None:
    """For metrics of workers and of HTTP."""
    plain = {metric.name for metric in (*METRICS, *PROCESS)}

    assert set() == set(NAME.findall(DOCUMENT)) - plain - of_workers() - of_http
