"""Intake of orders: each order is accepted once, whether or not a system is running.

The key of an order and its ORDER_CREATED record are stored in one transaction. The key includes a
fingerprint of the order's content, so that the same order is recognised as a duplicate at any later
time.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, suppress
from enum import Enum
from typing import Any, Protocol, TypeVar

import msgspec

from order_sagas.actors.clock import Clock, SystemClock, iso
from order_sagas.actors.entities import Order
from order_sagas.actors.messages import SCHEMA_VERSION, OrderCreated
from order_sagas.actors.participants import ORDERS
from order_sagas.bridges.errors import ConflictError
from order_sagas.bridges.records.codec import LARGEST
from order_sagas.bridges.records.fingerprint import fingerprint
from order_sagas.bridges.records.record import Headers, Outgoing
from order_sagas.bridges.records.trace_context import header_of
from order_sagas.bridges.storage.connection import Connection
from order_sagas.bridges.storage.rows import Rows

T = TypeVar("T")

CHUNK = 1000
"""Maximum number of orders in one transaction, so that a running system waits only briefly."""


class Log(Protocol):
    """Where records are appended: the embedded log, or the outbox for Kafka."""

    partitions: int
    db: Connection

    def transaction(self) -> AbstractContextManager[Any]:
        """A cursor whose statements are committed at the end; then the records are published."""
        ...

    def outgoing(self, topic: str, key: str, value: bytes, headers: Headers = ()) -> Outgoing:
        """A record with the partition of its key."""
        ...

    def put(self, cursor: Any, records: Iterable[Outgoing]) -> None:
        """Write records within the transaction."""
        ...


Lock = Callable[[Any], None]
"""Called at the begin of a transaction with its cursor: `Connection.together` or `alone`."""


def take_beside_others(db: Connection, act: Callable[[Lock], T]) -> T:
    """Run a transaction beside those of other intakes, or alone if another one was faster.

    `act` runs the transaction, which has to begin with the lock that it is given.
    """
    with suppress(ConflictError):
        return act(db.together)
    return act(db.alone)


class Verdict(Enum):
    """The result of the intake of an order. Only ACCEPTED stores an order."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """The order is known, with the same content."""
    CONFLICT = "conflict"
    """The id belongs to an order with different content."""
    KEY_REUSED = "key reused"
    """The client's idempotency key was used for another order, or for different content."""
    TOO_LARGE = "too large"
    """The record would be larger than what readers accept."""


class Intake:
    """Takes orders into a log. To be used by one thread."""

    def __init__(self, log: Log, clock: Clock | None = None, lost: Iterable[str] = ()) -> None:
        """`lost` are accepted orders whose start is no longer in the log.

        If such an order is submitted again with the same content, it is appended again.
        """
        self._log = log
        self._lost = {*lost}
        self._clock = clock or SystemClock()
        self._encode = msgspec.json.Encoder().encode
        db = log.db
        self._orders = Rows(Order, db.placeholder)
        one_of, mark = db.is_in("text"), db.placeholder
        self._known = f"SELECT order_id, fingerprint FROM order_keys WHERE order_id {one_of}"
        self._numbers = f"SELECT no FROM order_keys WHERE order_id {one_of} ORDER BY no"
        self._stored = f"{self._orders.select} WHERE no IN "
        self._stored += f"(SELECT no FROM order_keys WHERE order_id {one_of})"
        self._new_key = (
            "INSERT INTO order_keys (order_id, shard, fingerprint, submitter) "
            f"VALUES ({', '.join([mark] * 4)}) ON CONFLICT (order_id) DO UPDATE "
            "SET fingerprint = excluded.fingerprint, submitter = excluded.submitter "
            "WHERE order_keys.fingerprint IS NULL"
        )
        self._used = f"SELECT key, order_id FROM idempotency_keys WHERE key {one_of}"
        self._use = (
            "INSERT INTO idempotency_keys (key, order_id, used_at) "
            f"VALUES ({mark}, {mark}, {mark}) ON CONFLICT (key) DO NOTHING"
        )

    def take(
        self,
        orders: Sequence[OrderCreated],
        client_keys: Sequence[str] | None = None,
        submitters: Sequence[str] | None = None,
    ) -> list[Verdict]:
        """Take all orders in one transaction, at most CHUNK of them; return the verdict for each.

        When it returns, the accepted orders are committed. `client_keys` are idempotency keys, one
        for each order (empty for none); a key belongs to the first order that it came with, until
        it is pruned. `submitters` are the names of the tokens (empty for none) that are stored with
        accepted orders. The trace context of an order becomes headers of its record. Intakes of
        other processes may run at the same time: only one of them accepts an order.
        """
        return take_beside_others(
            self._log.db, lambda lock: self._take(lock, orders, client_keys, submitters)
        )

    def _take(
        self,
        lock: Lock,
        orders: Sequence[OrderCreated],
        client_keys: Sequence[str] | None,
        submitters: Sequence[str] | None,
    ) -> list[Verdict]:
        now = self._clock.now()
        at = iso(now)
        keys_of = client_keys or [""] * len(orders)
        names = submitters or [""] * len(orders)
        prepared = [self._prepare(order, at) for order in orders]
        order_ids = list(dict.fromkeys(order.order_id for order in orders))
        verdicts: list[Verdict] = []
        keys: list[tuple[str, int, bytes, str | None]] = []
        new_uses: list[tuple[str, str, float]] = []
        records: list[Outgoing] = []
        found: set[str] = set()
        with self._log.transaction() as cursor:
            lock(cursor)
            known = self._fingerprints(cursor, order_ids)
            uses = self._uses(cursor, [key for key in keys_of if key])
            for order, key, name, (print_, record) in zip(
                orders, keys_of, names, prepared, strict=True
            ):
                order_id = order.order_id
                before = known.get(order_id)
                used_for = uses.get(key)
                if used_for is not None and (used_for != order_id or before not in (None, print_)):
                    verdict = Verdict.KEY_REUSED
                elif before == print_ and order_id in self._lost and order_id not in found:
                    found.add(order_id)
                    records.append(record)
                    verdict = Verdict.ACCEPTED
                elif before is not None:
                    verdict = Verdict.DUPLICATE if before == print_ else Verdict.CONFLICT
                elif len(record.value or b"") > LARGEST:
                    verdict = Verdict.TOO_LARGE
                else:
                    known[order_id] = print_
                    keys.append((order_id, record.partition, print_, name or None))
                    records.append(record)
                    verdict = Verdict.ACCEPTED
                verdicts.append(verdict)
                if key and used_for is None and verdict in (Verdict.ACCEPTED, Verdict.DUPLICATE):
                    uses[key] = order_id
                    new_uses.append((key, order_id, now))
            # Written only if no other intake has written the same order or key since it was read.
            checks = []
            if keys:
                checks.append(self._log.db.insert_new(cursor, self._new_key, keys))
            if records:
                self._log.put(cursor, records)
            if new_uses:
                checks.append(self._log.db.insert_new(cursor, self._use, new_uses))
            for check in checks:
                check()
        self._lost -= found
        return verdicts

    def numbers(self, order_ids: Sequence[str]) -> list[int]:
        """The numbers of the known orders among these, ascending: roughly the order of handling."""
        db = self._log.db
        return [no for (no,) in db.rows(self._numbers, (db.many(order_ids, str),))]

    def _prepare(self, order: OrderCreated, at: str) -> tuple[bytes, Outgoing]:
        stamped = OrderCreated(
            order_id=order.order_id,
            event_id=f"{order.order_id}/ORDER_CREATED",
            occurred_at=at,
            schema_version=SCHEMA_VERSION,
            customer_id=order.customer_id,
            currency=order.currency,
            lines=order.lines,
            warehouse=order.warehouse,
        )
        record = self._log.outgoing(
            ORDERS.topic, order.order_id, self._encode(stamped), header_of(order)
        )
        return fingerprint(order), record

    def _uses(self, cursor: Any, client_keys: list[str]) -> dict[str, str]:
        """The order that each idempotency key was used for."""
        if not client_keys:
            return {}
        found = self._log.db.beside(cursor)
        found.execute(self._used, (self._log.db.many(client_keys, str),))
        return dict(found.fetchall())

    def _fingerprints(self, cursor: Any, order_ids: list[str]) -> dict[str, bytes]:
        """Fingerprints of the known orders.

        If one is not stored, it is computed from the stored order.
        """
        many, beside = self._log.db.many, self._log.db.beside
        found = beside(cursor)
        found.execute(self._known, (many(order_ids, str),))
        known: dict[str, bytes] = {}
        unread = []
        for order_id, print_ in found.fetchall():
            if print_ is None:
                unread.append(order_id)
            else:
                known[order_id] = bytes(print_)
        if unread:
            found = beside(cursor)
            found.execute(self._stored, (many(unread, str),))
            for row in found.fetchall():
                order: Any = self._orders.entity(row)
                known[order.order_id] = fingerprint(order)
        return known
