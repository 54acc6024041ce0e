"""A real primary fails, and its real standby is promoted; then the other way round."""

import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.system.conftest import MakeSystem
from tests.support.kafka_system import orders
from tests.support.postgres import PostgresServer
from tests.support.postgres_fixtures import need_postgres
from tests.support.postgres_standby import promote, start_standby, url_of_both
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.kafka,
    pytest.mark.postgres,
    pytest.mark.processes,
    pytest.mark.xdist_group("own servers"),
]


@pytest.fixture
def servers() -> Iterator[tuple[PostgresServer, PostgresServer]]:
    """A primary and its standby."""
    need_postgres()
    # Not in pytest's folder: another run, as root, would shut the server's user out of it.
    home = Path(tempfile.mkdtemp(prefix="order-sagas-tests-"))
    primary = PostgresServer(home / "primary", durable=False)
    primary.start()
    standby = start_standby(primary)
    yield primary, standby
    primary.kill()
    standby.kill()
    shutil.rmtree(home)


def test_a_failover_loses_nothing_and_needs_no_operator(
    make_system: MakeSystem, servers: tuple[PostgresServer, PostgresServer]
) -> None:
    """One URL names both servers. Acknowledged commits are on the standby, which is read-only until
    it is promoted: workers wait, and connect to it then. The former primary is its standby later,
    and takes over from it."""
    primary, standby = servers
    system = make_system(url_of_both(primary, standby), deadline_scale=0.2)
    workers = [system.start(), system.start()]
    system.load()
    system.put("order-events", *orders(300))
    wait_until(lambda: system.ended() > 20, "work to be under way")
    primary.kill()
    system.put("order-events", *orders(200, "later"))
    wait_until(lambda: all("waiting" in each.printed for each in workers), "the workers to notice")
    threading.Event().wait(4.0)  # commands are not repeated meanwhile
    assert [None, None] == [worker.process.poll() for worker in workers]
    promote(standby)
    system.wait_for_ends(500)

    # The former primary comes back as the standby. A URL names it first.
    shutil.rmtree(primary.home)
    former = start_standby(standby, primary.home)
    system.start()
    standby.kill()
    system.put("order-events", *orders(100, "last"))
    promote(former)
    system.wait_for_ends(600)

    assert {"COMPLETED": 600} == system.statuses()
    assert [] == system.log("saga.step_timed_out")
    assert [] == system.violations()
    assert [0, 0] == [worker.stop() for worker in workers]
