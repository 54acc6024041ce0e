"""A whole shop: the system on the embedded log, with HTTP and the page, on threads of this process.

with Shop(tmp_path) as shop:
    shop.load(PEN=10)
    shop.order("A-1")
    page.goto(shop.url)
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import attrs
import httpx
import msgspec
from thespian.actors import ActorSystem

from order_sagas.actors.clock import SystemClock
from order_sagas.actors.messages import LoadStock, OrderLine
from order_sagas.actors.participants import STOCK
from order_sagas.actors.services.payment_gateway import (
    Approved,
    Charge,
    Declined,
    NoAnswer,
    Outcome,
    Refund,
)
from order_sagas.bridges.http import HttpServer
from order_sagas.bridges.logs.doorbell import Doorbell, ring
from order_sagas.bridges.logs.embedded import EmbeddedLog
from order_sagas.bridges.processor.messages import RecordsWaiting
from order_sagas.bridges.records.record import Outgoing
from order_sagas.system.bootstrap import Parts, open_store, start
from order_sagas.system.history_recorder import HistoryRecorder
from order_sagas.system.http import options_of, surroundings_of
from order_sagas.system.logs import configure_logging
from order_sagas.system.runtime import EventLoopBase
from order_sagas.system.settings import Settings
from tests.support.waiting import TIMEOUT


@attrs.define
class Provider:
    """A payment provider that approves charges, and does not answer refunds while it is down.

    Refunds of orders whose ids begin with `frozen` are declined then.
    """

    is_down: bool = False
    frozen: str | None = None
    local: bool = attrs.field(default=True, init=False)

    def charge(self, charge: Charge) -> Outcome:
        """Approve the charge."""
        return Approved(f"ch_{charge.key}")

    def refund(self, refund: Refund) -> Outcome:
        """Approve the refund, or decline it or do not answer while the provider is down."""
        if not self.is_down:
            return Approved(refund.charge_id)
        if self.frozen and refund.order_id.startswith(self.frozen):
            return Declined("account_frozen", "ask the bank")
        return NoAnswer()


class Shop:
    """A context manager that runs the shop. `quick` sets short deadlines. With `history`, figures
    are stored every ten seconds.
    """

    def __init__(
        self,
        directory: Path,
        *,
        quick: bool = False,
        history: bool = False,
        tokens: Path | None = None,
        **others: Any,
    ) -> None:
        self.settings = Settings(
            database=f"sqlite:///{directory / 'orders.db'}",
            partitions=4,
            deadline_scale=0.002 if quick else 1.0,
            http_tokens=str(tokens or ""),
            http="127.0.0.1:0",
            **others,
        )
        self.provider = Provider()
        self._keeps_history = history
        self._client = httpx.Client(timeout=2 * TIMEOUT)

    def __enter__(self) -> "Shop":
        clock = SystemClock()
        self._sink = configure_logging(self.settings, clock)
        parts = Parts(
            settings=self.settings,
            clients={} if self.settings.app != Settings().app else {"payments": self.provider},
            flush=self._sink.flush,
        )
        open_store(self.settings, parts.registry, parts.services).close()  # makes the tables
        self._running = start(parts, ActorSystem(EventLoopBase(clock), transientUnique=True))
        self._bell = Doorbell(self.settings.database, self._wake)
        self._bell.listen()
        self._wake()
        self._history = HistoryRecorder(self.settings, self._running.report)
        if self._keeps_history:
            self._history.start()
        self._port = 0
        self.open_doors()
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()
        self.close_doors()
        self._bell.close()
        self._history.close()
        self._running.stop()
        self._sink.close()

    def open_doors(self) -> None:
        """Serve HTTP, at the same address as before."""
        options = attrs.evolve(options_of(self.settings), port=self._port)
        around = surroundings_of(self.settings, self._sink.flush)
        actors = ActorSystem(EventLoopBase(), transientUnique=True)
        self._server = HttpServer(around, options, actors)
        self._server.start()
        self._port = self._server.port

    def close_doors(self) -> None:
        """Stop serving HTTP; the rest of the system keeps running."""
        self._server.stop()

    @property
    def url(self) -> str:
        """The URL of the page."""
        return self._server.address + "/"

    def order(self, order_id: str, token: str = "", **fields: Any) -> None:
        """Submit an order for two pens over HTTP."""
        pens = [{"sku": "PEN", "quantity": 2, "unitPrice": 150}]
        body = {"customerId": "C-7", "currency": "EUR", "lines": pens, **fields}
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        order = {"orderId": order_id, **body}
        answer = self._client.post(f"{self.url}api/v1/orders", json=order, headers=headers)
        answer.raise_for_status()

    def begin(self, saga: str, order_id: str, **fields: Any) -> None:
        """Start a saga of an app without orders, over HTTP."""
        body = {"orderId": order_id, **fields}
        self._client.post(f"{self.url}api/v1/sagas/{saga}", json=body).raise_for_status()

    def ask(self, path: str, token: str = "", **body: Any) -> Any:
        """Send a request to a path of the API; return the response body."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self._client.post(f"{self.url}api/v1/{path}", json=body, headers=headers)
        return answer.raise_for_status().json()

    def get(self, path: str) -> Any:
        """Return what is behind a path of the API."""
        return self._client.get(f"{self.url}api/v1/{path}").raise_for_status().json()

    def wait_for(self, order_id: str, token: str = "") -> None:
        """Wait until an order has ended, or its saga needs attention."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        where = f"{self.url}api/v1/orders/{order_id}"
        self._client.get(where, params={"wait": 60}, headers=headers)

    def load(self, **stock: int) -> None:
        """Add stock."""
        lines = tuple(OrderLine(sku=sku, quantity=count) for sku, count in stock.items())
        load = LoadStock(order_id="delivery", lines=lines)
        with EmbeddedLog(self.settings.database, self.settings.partitions) as log:
            record = log.outgoing(STOCK.topic, load.warehouse, msgspec.json.encode(load))
        self.put([record])

    def put(self, records: Sequence[Outgoing]) -> None:
        """Append records to the log."""
        with EmbeddedLog(self.settings.database, self.settings.partitions) as log:
            log.append(*records)
        ring(self.settings.database)

    def put_raw(self, topic: str, value: str, key: str = "k") -> None:
        """Append a text to a topic, as another program might."""
        with EmbeddedLog(self.settings.database, self.settings.partitions) as log:
            record = log.outgoing(topic, key, value.encode())
        self.put([record])

    def _wake(self) -> None:
        self._running.tell_processor(RecordsWaiting())
