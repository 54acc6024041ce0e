"""The Docker files are consistent with each other and with the program."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from order_sagas.system.settings.model import declared
from tests.support.kafka_jars import KAFKA

yaml = pytest.importorskip("yaml", reason="PyYAML reads docker-compose.yml")

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
OBSERVABILITY = ROOT / "observability"
PROMETHEUS = yaml.safe_load((OBSERVABILITY / "prometheus" / "prometheus.yml").read_text())


def test_there_is_a_service_for_everything_a_worker_needs() -> None:
    """Other services have a profile."""
    usual = {name for name, service in SERVICES.items() if "profiles" not in service}
    observing = {
        name for name, service in SERVICES.items() if service.get("profiles") == ["observability"]
    }

    assert usual == {"kafka", "postgres", "topics", "worker"}
    assert observing == {"prometheus", "jaeger", "grafana"}
    assert ["http"] == SERVICES["http"]["profiles"]
    assert usual | observing | {"http"} == set(SERVICES)


@pytest.mark.parametrize("service", ["topics", "worker", "http"])
def test_every_variable_is_a_setting(service: str) -> None:
    """A mistyped one would only cause a warning."""
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
        ("http", "postgres"): "service_healthy",
        ("http", "topics"): "service_completed_successfully",
    }


@pytest.mark.parametrize("service", [*SERVICES])
def test_services_get_no_rights_that_they_do_not_need(service: str) -> None:
    """No capabilities, but those with which PostgreSQL becomes another user than root."""
    found = SERVICES[service]
    needed = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"]

    assert (["ALL"], ["no-new-privileges:true"]) == (found["cap_drop"], found["security_opt"])
    assert (needed if service == "postgres" else []) == found.get("cap_add", [])
    assert not found.get("privileged")


def test_our_services_write_to_their_volume_only() -> None:
    """It is the directory in which they work, which belongs to their user."""
    ours = [each for each in SERVICES.values() if each.get("image") == "order-sagas"]
    (workdir,) = re.findall(r"(?m)^WORKDIR (/var\S+)$", DOCKERFILE)
    (volume,) = re.findall(r"(?m)^VOLUME (\S+)$", DOCKERFILE)

    assert 3 == len(ours)
    assert {True} == {each["read_only"] for each in ours}
    assert {("/tmp",)} == {tuple(each["tmpfs"]) for each in ours}
    assert workdir == volume
    assert DOCKERFILE.index("USER order-sagas") < DOCKERFILE.index("VOLUME")


def test_workers_can_be_scaled() -> None:
    """They have no fixed name or host port."""
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


def test_http_is_reachable_and_needs_a_token() -> None:
    """The port, the file and the setting are the same; it uses the workers' database and Kafka."""
    http, worker = SERVICES["http"], SERVICES["worker"]
    own = {"ORDER_SAGAS_HTTP", "ORDER_SAGAS_HTTP_TOKENS"}
    host, port = http["environment"]["ORDER_SAGAS_HTTP"].split(":")
    (tokens,) = http["volumes"]

    assert ["http"] == http["command"]
    assert "0.0.0.0" == host
    assert [f"127.0.0.1:{port}:{port}"] == http["ports"]
    assert http["environment"]["ORDER_SAGAS_HTTP_TOKENS"] == tokens["target"]
    assert tokens["read_only"]
    assert f":{port}/health/ready" in http["healthcheck"]["test"][-1]
    shared = {k: v for k, v in http["environment"].items() if k not in own}
    assert worker["environment"] == shared
    assert own.isdisjoint(worker["environment"])


def test_observability_services_listen_on_this_machine_only() -> None:
    """They have no login."""
    for name in ("prometheus", "jaeger", "grafana"):
        assert all(port.startswith("127.0.0.1:") for port in SERVICES[name]["ports"])


def test_observability_services_mount_existing_files() -> None:
    """And volumes that are declared."""
    for name in ("prometheus", "grafana"):
        for volume in SERVICES[name]["volumes"]:
            source = volume.split(":")[0]
            exists = (ROOT / source).is_dir() if source.startswith(".") else False
            assert exists or source in COMPOSE["volumes"]


def test_prometheus_finds_every_worker() -> None:
    """By the name that has an address for each container, at the port where it serves."""
    _, port = SERVICES["worker"]["environment"]["ORDER_SAGAS_METRICS"].split(":")
    (job,) = PROMETHEUS["scrape_configs"]
    (found,) = job["dns_sd_configs"]

    assert {"names": ["worker"], "type": "A", "port": int(port)}.items() <= found.items()
    assert all((OBSERVABILITY / "prometheus" / file).is_file() for file in PROMETHEUS["rule_files"])


def test_grafana_finds_its_data_and_the_dashboard() -> None:
    """At the services' names, and where the dashboard is mounted."""
    provisioning = OBSERVABILITY / "grafana" / "provisioning"
    sources = yaml.safe_load((provisioning / "datasources" / "datasources.yml").read_text())
    boards = yaml.safe_load((provisioning / "dashboards" / "dashboards.yml").read_text())
    mounted = {volume.split(":")[1] for volume in SERVICES["grafana"]["volumes"]}
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    hosts = {urlsplit(source["url"]).hostname for source in sources["datasources"]}
    assert hosts == {"prometheus", "jaeger"}
    assert {provider["options"]["path"] for provider in boards["providers"]} <= mounted
    assert Path(home).parent == Path(boards["providers"][0]["options"]["path"])
    assert (OBSERVABILITY / "grafana" / "dashboards" / Path(home).name).is_file()


def test_the_image_has_what_metrics_and_traces_need() -> None:
    """Else a worker that is told to serve them would not start."""
    extras = re.search(r"'\.\[(.*)\]'", DOCKERFILE)

    assert extras
    assert {"postgres", "http", "metrics", "otel"} == set(extras[1].split(","))


def test_the_broker_is_the_one_that_the_tests_run_against() -> None:
    """Otherwise the tests would not cover it."""
    assert SERVICES["kafka"]["image"] == f"apache/kafka:{KAFKA}"


def test_a_worker_is_no_root_and_ends_in_order() -> None:
    """The last stage decides, and the command is the console script."""
    last_stage = re.split(r"^FROM ", DOCKERFILE, flags=re.MULTILINE)[-1]

    assert re.search(r"^USER order-sagas$", last_stage, re.MULTILINE)
    assert re.search(r"^STOPSIGNAL SIGTERM$", last_stage, re.MULTILINE)
    assert re.search(r'^ENTRYPOINT \["order-sagas"\]$', last_stage, re.MULTILINE)
    assert "order-sagas = " in (ROOT / "setup.cfg").read_text()


def test_the_image_is_built_of_what_the_package_has() -> None:
    """An ignored file cannot be installed."""
    sent = {
        line[1:]
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line.startswith("!")
    }

    assert {"src", "actors", "bridges", "system", "setup.cfg", "pyproject.toml"} <= sent
    assert {"README.md", "LICENSE"} <= sent
