"""What Docker is told fits together, and fits what the program understands."""

import re
from pathlib import Path
from typing import Any

import pytest

from system.settings.model import declared
from tests.support.kafka_jars import KAFKA

yaml = pytest.importorskip("yaml", reason="PyYAML reads docker-compose.yml")

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()


def test_there_is_a_service_for_everything_a_worker_needs() -> None:
    """And nothing else."""
    assert set(SERVICES) == {"kafka", "postgres", "topics", "worker"}


@pytest.mark.parametrize("service", ["topics", "worker"])
def test_every_variable_is_a_setting(service: str) -> None:
    """A mistyped one would be left aside with a warning that nobody reads."""
    known = {setting.variable for setting in declared()}

    assert set(SERVICES[service]["environment"]) <= known
    assert {"ORDER_SAGAS_KAFKA", "ORDER_SAGAS_DATABASE"} <= set(SERVICES[service]["environment"])


@pytest.mark.parametrize("service", ["kafka", "postgres"])
def test_servers_keep_their_data_and_are_waited_for(service: str) -> None:
    """In a volume that is declared; their health is checked with limits."""
    volumes = {volume.split(":")[0] for volume in SERVICES[service]["volumes"]}

    assert volumes
    assert volumes <= set(COMPOSE["volumes"])
    assert {"test", "interval", "timeout", "retries"} <= set(SERVICES[service]["healthcheck"])


def test_workers_start_when_all_they_need_is_there() -> None:
    """Only servers have a health to wait for, and only what ends can be waited for to end."""
    waited = {
        (name, needed): condition["condition"]
        for name, service in SERVICES.items()
        for needed, condition in service.get("depends_on", {}).items()
    }

    assert waited == {
        ("topics", "kafka"): "service_healthy",
        ("worker", "postgres"): "service_healthy",
        ("worker", "topics"): "service_completed_successfully",
    }


def test_workers_can_be_scaled() -> None:
    """Neither a name nor a port is one's own."""
    assert {"container_name", "ports", "volumes"}.isdisjoint(SERVICES["worker"])


def test_workers_connect_to_where_the_servers_listen() -> None:
    """By the names and ports that are theirs inside."""
    kafka, worker = SERVICES["kafka"]["environment"], SERVICES["worker"]["environment"]
    postgres = SERVICES["postgres"]["environment"]
    advertised = dict(
        listener.split("://") for listener in kafka["KAFKA_ADVERTISED_LISTENERS"].split(",")
    )
    user, password, database = (postgres[f"POSTGRES_{part}"] for part in ("USER", "PASSWORD", "DB"))

    assert worker["ORDER_SAGAS_KAFKA"] == advertised["INSIDE"]
    expected = f"postgresql+psycopg://{user}:{password}@postgres:5432/{database}"
    assert worker["ORDER_SAGAS_DATABASE"] == expected


def test_the_broker_is_the_one_that_the_tests_run_against() -> None:
    """Else they would say little about it."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA}"


def test_a_worker_is_no_root_and_ends_in_order() -> None:
    """The last stage decides, and the command is the console script."""
    last_stage = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[-1]

    assert re.search(r"^USER order-sagas$", last_stage, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", last_stage, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["order-sagas"\]$', last_stage, re.MULTILINE)
    assert "order-sagas = " in (ROOT / "setup.cfg").read_text()


def test_the_image_is_built_of_what_the_package_has() -> None:
    """What is ignored cannot be installed."""
    sent = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }

    assert {"actors", "bridges", "system", "setup.cfg", "pyproject.toml", "README.md"} <= sent
