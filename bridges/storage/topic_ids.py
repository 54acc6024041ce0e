"""The id that each of Kafka's topics had when its offsets were stored.

An offset means something in the topic that it was counted in, and in no other of the same name.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import sqlalchemy as sa

from order_sagas.bridges.storage.schema import metadata

if TYPE_CHECKING:
    from order_sagas.bridges.storage.connection import Connection

topic_ids = sa.Table(
    "topic_ids",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("id", sa.Text, nullable=False),
    sa.Column("noted_at", sa.Float(53), nullable=False),
)
"""Kafka gives a topic a new id whenever it is created. `noted_at` is in seconds since the epoch."""


class TopicIds:
    """The table, on a connection."""

    def __init__(self, db: "Connection") -> None:
        self._db = db
        mark = db.placeholder
        self._add = (
            f"INSERT INTO topic_ids (topic, id, noted_at) VALUES ({mark}, {mark}, {mark}) "
            "ON CONFLICT (topic) DO NOTHING"
        )

    def known(self, ids: Mapping[str, str], now: float) -> dict[str, str]:
        """The stored id of each topic, after those of `ids` were stored that had none before."""
        known = self._all()
        new = [(topic, id_, now) for topic, id_ in ids.items() if id_ and topic not in known]
        if new:
            with self._db.transaction() as cursor:
                cursor.executemany(self._add, new)
            known = self._all()
        return known

    def _all(self) -> dict[str, str]:
        return dict(self._db.rows("SELECT topic, id FROM topic_ids", ()))
