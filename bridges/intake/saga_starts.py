"""Start of sagas from outside: each saga of an order is started once, by one content.

The fingerprint of the content is stored in the transaction that writes the record, so that
the same start is recognised at any later time, whether or not a system is running.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any

import msgspec

from order_sagas.actors.clock import SystemClock, iso
from order_sagas.actors.messages import SCHEMA_VERSION, Message, OrderCreated, status
from order_sagas.actors.sagas.definition import Saga
from order_sagas.bridges.intake.intake import Intake, Lock, Log, Verdict, take_beside_others
from order_sagas.bridges.records.codec import LARGEST
from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.records.trace_context import header_of

_encode = msgspec.json.Encoder().encode


class SagaStarts:
    """Starts sagas of one definition. To be used by one thread."""

    def __init__(self, log: Log, saga: Saga[Any]) -> None:
        self._log = log
        self._saga = saga
        self._clock = SystemClock()
        db = log.db
        mark = db.placeholder
        self._known = (
            f"SELECT order_id, fingerprint FROM saga_starts WHERE saga = {mark} "
            f"AND order_id {db.is_in('text')}"
        )
        self._new = (
            "INSERT INTO saga_starts (saga, order_id, fingerprint) "
            f"VALUES ({mark}, {mark}, {mark}) ON CONFLICT (saga, order_id) DO NOTHING"
        )

    def take(self, starts: Sequence[Message], submitter: str = "") -> list[Verdict]:
        """Start a saga with each of these messages, in one transaction; return their verdicts.

        At most `intake.CHUNK` at a time. When it returns, the accepted ones are committed. The
        `traceparent` of a message becomes a header of its record. Orders are taken by `Intake`,
        as if they were submitted, with the name of the token that submits them.
        """
        if self._saga.starts_on is OrderCreated:
            orders = [start for start in starts if isinstance(start, OrderCreated)]
            return Intake(self._log, self._clock).take(orders, None, [submitter] * len(orders))
        return take_beside_others(self._log.db, lambda lock: self._take(lock, starts))

    def _take(self, lock: Lock, starts: Sequence[Message]) -> list[Verdict]:
        at, name = iso(self._clock.now()), self._saga.name
        verdicts: list[Verdict] = []
        new: list[tuple[str, str, bytes]] = []
        records: list[Outgoing] = []
        with self._log.transaction() as cursor:
            lock(cursor)
            known = self._fingerprints(cursor, [start.order_id for start in starts])
            for start in starts:
                print_, record = _fingerprint(start), self._record(start, at)
                before = known.get(start.order_id)
                if before is not None:
                    verdict = Verdict.DUPLICATE if before == print_ else Verdict.CONFLICT
                elif len(record.value or b"") > LARGEST:
                    verdict = Verdict.TOO_LARGE
                else:
                    known[start.order_id] = print_
                    new.append((name, start.order_id, print_))
                    records.append(record)
                    verdict = Verdict.ACCEPTED
                verdicts.append(verdict)
            if records:
                # Written only if nobody else has started the same saga since it was read.
                check = self._log.db.insert_new(cursor, self._new, new)
                self._log.put(cursor, records)
                check()
        return verdicts

    def _record(self, start: Message, at: str) -> Outgoing:
        stamped = msgspec.structs.replace(
            start,
            event_id=f"{start.order_id}/{status(start)}",
            occurred_at=at,
            schema_version=SCHEMA_VERSION,
            traceparent="",
            tracestate="",
        )
        topic = self._saga.origin.topic
        return self._log.outgoing(topic, start.order_id, _encode(stamped), header_of(start))

    def _fingerprints(self, cursor: Any, order_ids: list[str]) -> dict[str, bytes]:
        found = self._log.db.beside(cursor)
        found.execute(self._known, (self._saga.name, self._log.db.many(order_ids, str)))
        return {order_id: bytes(print_) for order_id, print_ in found.fetchall()}


def _fingerprint(start: Message) -> bytes:
    """Return a hash of 8 bytes of what was given."""
    given = msgspec.structs.replace(start, traceparent="", tracestate="")
    return blake2b(_encode(given), digest_size=8).digest()
