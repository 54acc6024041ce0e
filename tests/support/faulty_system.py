"""Workers with a fault proxy between each of them and each server, and servers that can fail.

Each worker has a listener of its own at the broker, which is advertised at the port of its proxy.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import attrs
import psycopg

from tests.support.cli import Started
from tests.support.fault_proxy import FaultProxy, fault_proxies
from tests.support.kafka_broker import QUICK_START, KafkaBroker
from tests.support.kafka_config import Listener
from tests.support.kafka_system import KafkaSystem, fresh_topics
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.provider_ledger import FILE
from tests.support.small_disk import SmallDisk, can_mount, small_disk

APP = "tests.support.provider_ledger:APP"
_SMALL = "max_wal_size = 64MB\nmin_wal_size = 32MB\n"
_MEGABYTES = 256
"""Size of the disk of each server."""
_WRITABLE = "-c default_transaction_read_only=off"


@attrs.define(eq=False)
class Site:
    """A worker, and its proxies to the servers."""

    number: int
    kafka: FaultProxy
    postgres: FaultProxy
    worker: Started | None = None
    is_new: bool = True
    """True until the worker has shards: one that starts in an outage may end."""


@attrs.define(eq=False)
class FaultySystem:
    """The servers, the sites, and where the payment provider keeps its ledger."""

    system: KafkaSystem
    broker: KafkaBroker
    postgres: PostgresServer
    sites: list[Site]
    disks: dict[str, SmallDisk]
    """The disks of "kafka" and "postgres"; empty if none can be mounted here."""
    ledger: Path
    ended: list[str] = attrs.field(factory=list)
    """The last lines of workers that had shards, and ended by themselves."""

    def start(self, site: Site) -> None:
        """Start a worker at a site, without waiting until it runs."""
        user = f"postgresql://postgres@127.0.0.1:{site.postgres.port}/postgres"
        site.worker = self.system.begin(kafka=f"127.0.0.1:{site.kafka.port}", database=user)
        site.is_new = True

    def kill(self, site: Site) -> None:
        """Kill the worker of a site, and start another one."""
        assert site.worker
        site.worker.process.kill()
        site.worker.process.wait()
        self.start(site)

    def keep_running(self) -> bool:
        """Start workers that have ended, as a service manager does; return whether all run."""
        for site in self.sites:
            assert site.worker
            if site.worker.process.poll() is not None:
                if not site.is_new:
                    self.ended.append(f"worker {site.number}: {site.worker.printed[-1000:]}")
                self.start(site)
            elif site.is_new and "kafka.shards_assigned" in site.worker.printed:
                site.is_new = False
        return not any(site.is_new for site in self.sites)

    def set_read_only(self, value: bool) -> None:
        """Let PostgreSQL refuse to write, as a standby does, or write again."""
        with psycopg.connect(
            self.system.database.replace("+psycopg", ""), autocommit=True, options=_WRITABLE
        ) as db:
            word = "on" if value else "off"
            db.execute(f"ALTER SYSTEM SET default_transaction_read_only = {word}")
            db.execute("SELECT pg_reload_conf()")


@contextmanager
def faulty_system(
    directory: Path, seed: int, workers: int = 3, **settings: object
) -> Iterator[FaultySystem]:
    """Run the servers with empty topics and tables; no worker is started."""
    with ExitStack() as stack:
        make = stack.enter_context(fault_proxies(seed))
        places, disks = {}, {}
        for server in ("kafka", "postgres"):
            places[server] = place = directory / f"{server}-disk"
            if can_mount() or os.environ.get("REQUIRE_MOUNT") == "1":
                disks[server] = stack.enter_context(small_disk(place, _MEGABYTES))
            else:
                place.mkdir()
        listeners = tuple(
            Listener(f"WORKER{number}", free_port(), free_port()) for number in range(workers)
        )
        broker = KafkaBroker(
            directory / "kafka",
            jvm_options=QUICK_START,
            listeners=listeners,
            data=places["kafka"] / "data",
        )
        postgres = PostgresServer(places["postgres"] / "data", durable=False, settings=_SMALL)
        stack.callback(broker.kill)
        stack.callback(postgres.kill)
        broker.start()
        postgres.start()
        fresh_topics(broker.bootstrap_servers)
        system = KafkaSystem(
            directory, broker.bootstrap_servers, postgres.url(), app=APP, **settings
        )
        stack.callback(system.close)
        ledger = directory / "ledger.db"
        system.env[FILE] = str(ledger)
        system.make_tables()
        sites = [
            Site(number, make(each.port, each.advertised), make(postgres.socket))
            for number, each in enumerate(listeners)
        ]
        yield FaultySystem(system, broker, postgres, sites, disks, ledger)
