"""A payment provider outside of the system, with a ledger of its own, shared by all workers.

`APP` is the order business with this provider. `PROVIDER_LEDGER` in the environment names the file.
"""

import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import attrs

from order_sagas.actors.services.payment_gateway import Approved, Charge, Declined, Outcome, Refund
from order_sagas.system import order_app
from order_sagas.system.settings import Settings

FILE = "PROVIDER_LEDGER"
DECLINED = 0.1
"""Share of the orders whose charge is declined."""
ANSWER_LOST = 0.05
"""Share of the orders whose first answer is lost, after the money was moved."""


class Movement(NamedTuple):
    """Money that the provider moved: `kind` is "charge" or "refund"."""

    kind: str
    order_id: str
    amount: int
    currency: str


class LedgerGateway:
    """Moves money once for each key, and remembers it in an SQLite file."""

    local = False

    def __init__(self, file: Path) -> None:
        self._file = file
        with self._writing() as db:
            db.execute(
                "CREATE TABLE IF NOT EXISTS movements (kind TEXT, idempotency_key TEXT, "
                "order_id TEXT, amount INTEGER, currency TEXT, UNIQUE (kind, idempotency_key))"
            )

    def charge(self, charge: Charge) -> Outcome:
        """Charge, or decline by a rule on the order id. Raises TimeoutError for a lost answer."""
        if _share("decline", charge.order_id) < DECLINED:
            return Declined("card_declined", "the card was declined")
        movement = Movement("charge", charge.order_id, charge.amount, charge.currency)
        if self._move(charge.key, movement) and _share("lose", charge.order_id) < ANSWER_LOST:
            raise TimeoutError("the answer of the provider was lost")
        return Approved(f"ch_{charge.key}")

    def refund(self, refund: Refund) -> Outcome:
        """Refund a whole charge."""
        self._move(refund.key, Movement("refund", refund.order_id, refund.amount, refund.currency))
        return Approved(refund.charge_id)

    def _move(self, key: str, movement: Movement) -> bool:
        """Return whether the money was moved now, and not before."""
        sql = "INSERT OR IGNORE INTO movements VALUES (?, ?, ?, ?, ?)"
        with self._writing() as db:
            done = db.execute(sql, (movement.kind, key, *movement[1:]))
            return done.rowcount == 1

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self._file, timeout=60)) as db:
            db.execute("PRAGMA synchronous=OFF")
            with db:
                yield db


def movements(file: Path) -> list[Movement]:
    """Return all that the provider has done."""
    with closing(sqlite3.connect(file)) as db:
        return [
            Movement(*row)
            for row in db.execute("SELECT kind, order_id, amount, currency FROM movements")
        ]


def _share(what: str, order_id: str) -> float:
    return zlib.crc32(f"{what}/{order_id}".encode()) / 2**32


def _gateway(_: Settings) -> LedgerGateway:
    return LedgerGateway(Path(os.environ[FILE]))


APP = attrs.evolve(order_app.APP, clients={**order_app.APP.clients, "payments": _gateway})
"""The order business, with the provider in place of the simulated one."""
