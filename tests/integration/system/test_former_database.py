"""A database of a former version is migrated by `start`, and a real system continues with it."""

import pytest

from order_sagas.bridges.storage.migrations import NEWEST
from tests.integration.system.conftest import MakeSystem
from tests.support.golden import restore
from tests.support.kafka_broker import KafkaBroker
from tests.support.kafka_system import fresh_topics
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("kafka system"),
]

PARTITIONS = 4
PAUSED = ("stock", "notification", "intake")
SAGAS = 20
"""The number of sagas of the orders in the golden database."""


def test_start_migrates_a_database_and_its_sagas_continue(
    make_system: MakeSystem, broker: KafkaBroker, postgres_url: str
) -> None:
    """Before, readers refuse it. Pauses are kept, and unpublished records are published."""
    restore("orders", postgres_url)
    fresh_topics(broker.bootstrap_servers, PARTITIONS)
    system = make_system(postgres_url, partitions=PARTITIONS, deadline_scale=0.1)
    refused = [system.run(*command) for command in (("orders",), ("status",), ("pause", "stock"))]
    dry = system.run("database", "migrate", "--dry-run")
    system.start()
    wait_until(
        lambda: 0 == system.number("SELECT count(*) FROM sagas WHERE step = 'process payment'"),
        "every payment to be answered",
    )
    waiting = system.number("SELECT count(*) FROM sagas WHERE step = 'reserve stock'")
    for name in PAUSED:
        assert 0 == system.run("unpause", name).returncode
    # Those that were deferred at the intake have no saga until they are delivered.
    wait_until(lambda: system.number(ENDED) == SAGAS, "all sagas to end")
    wait_until(lambda: 0 == system.number("SELECT count(*) FROM outbox"), "all to be published")

    assert all("database migrate" in done.stderr and done.returncode for done in refused)
    assert "ALTER TABLE sagas RENAME COLUMN progress TO state" in dry.stdout
    assert waiting >= 3
    assert {"COMPLETED": 14, "CANCELLED": 6} == system.statuses()
    assert [] == system.violations()
    assert NEWEST == system.json_of("database", "version")["version"]


ENDED = "SELECT count(*) FROM sagas WHERE ended_at IS NOT NULL"
