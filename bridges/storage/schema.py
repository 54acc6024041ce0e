"""The tables, for SQLite and PostgreSQL from one definition: those of the newest schema version.

Whoever changes a definition adds a migration (see `order_sagas.bridges.storage.migrations`).

Every order id has one row in `order_keys`, whose number the other tables use as their key: orders
arrive in about that order, so that their rows are appended rather than scattered over an index.
"""

import typing
from functools import cache

import msgspec
import sqlalchemy as sa

from order_sagas.actors.entities import ENTITIES, Entity, Order, StockLevel
from order_sagas.bridges.storage.log_queues import LEFT_FOR_OTHERS, LEFT_FOR_ROLE, TO_READ

metadata = sa.MetaData()


def partial_index(
    name: str,
    *columns: sa.Column[typing.Any],
    where: sa.ColumnElement[bool],
    unique: bool = False,
) -> None:
    """An index of those rows alone for which the condition holds, on either database.

    PostgreSQL gets the condition from `ddl`: to name it here loads all that SQLAlchemy knows of
    PostgreSQL, which a command on SQLite should not wait for.
    """
    sa.Index(name, *columns, unique=unique, sqlite_where=where, info={"where": where})


Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text in the order of its bytes, so that an index finds what begins alike; SQLite's always is."""

order_keys = sa.Table(
    "order_keys",
    metadata,
    sa.Column("no", Number, sa.Identity(), primary_key=True),
    sa.Column("order_id", Bytewise, nullable=False, unique=True),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.LargeBinary),
)

submitted = sa.Table(
    "submitted",
    metadata,
    sa.Column("no", Number, primary_key=True, autoincrement=False),
)
"""What the mark of `storage.waiting_orders` has passed before its order was stored."""

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("used_at", sa.Float(53)),
)
"""The order that was first brought under each client's key; when is empty in older databases."""
sa.Index("idempotency_keys_by_age", idempotency_keys.c.used_at)

sagas = sa.Table(
    "sagas",
    metadata,
    sa.Column("no", Number, primary_key=True, autoincrement=False),
    sa.Column("saga", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("version", sa.Integer, nullable=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("deadline", sa.Float(53)),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("seq", sa.Integer, nullable=False),
    sa.Column("started_at", sa.Float(53), nullable=False),
    sa.Column("ended_at", sa.Float(53)),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("skipped", sa.Integer, nullable=False, server_default=sa.text("0")),
)
"""`skipped` is 1 for a saga that was cancelled though a person had skipped a step of it: what that
step did, goods that are held say, may be there still."""
partial_index("sagas_in_flight", sagas.c.shard, sagas.c.deadline, where=sagas.c.ended_at.is_(None))
sa.Index("sagas_by_status", sagas.c.status, sagas.c.no)

partial_index("sagas_skipped", sagas.c.no, where=sagas.c.skipped == sa.literal_column("1"))

log = sa.Table(
    "log",
    metadata,
    sa.Column("position", Number, sa.Identity(), primary_key=True),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("key", sa.LargeBinary),
    sa.Column("value", sa.LargeBinary),
    sa.Column("headers", sa.LargeBinary),
    sa.Column("handled", sa.Integer, nullable=False),
    sa.Column("appended_at", sa.Float(53), nullable=False),
    sa.Column("role", sa.Text),
)
"""The embedded log; what `handled` and `role` say of a record is explained in `queues`."""
partial_index("log_to_read", log.c.position, where=log.c.handled == TO_READ)
partial_index("log_left", log.c.position, where=log.c.handled == LEFT_FOR_OTHERS)
partial_index("log_of_roles", log.c.role, log.c.position, where=log.c.handled == LEFT_FOR_ROLE)
partial_index("log_letters", log.c.position, where=log.c.topic == "dead-letters")

offsets = sa.Table(
    "offsets",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True),
    sa.Column("consumer", sa.Text, primary_key=True),
    sa.Column("position", Number, nullable=False),
)
"""The position up to which records were handled, and committed with what came of them."""

outbox = sa.Table(
    "outbox",
    metadata,
    sa.Column("id", Number, sa.Identity(), primary_key=True),
    sa.Column("consumer", sa.Text, nullable=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("key", sa.LargeBinary),
    sa.Column("value", sa.LargeBinary),
    sa.Column("headers", sa.LargeBinary),
    sqlite_autoincrement=True,  # two processes may know a row: its id is never another's
)
"""Records that are committed and not yet known to be published; `shard` caused them."""
partial_index(
    "outbox_submitted", outbox.c.shard, outbox.c.id, where=outbox.c.consumer == "#submitted"
)

pruned = sa.Table(
    "pruned",
    metadata,
    sa.Column("no", Number, primary_key=True, autoincrement=False),
    sa.Column("status", sa.Text, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("ended_at", sa.Float(53), nullable=False),
    sa.Column("pruned_at", sa.Float(53), nullable=False),
)
"""Orders of which this, and their row in `order_keys`, is all that is left."""

pruned_goods = sa.Table(
    "pruned_goods",
    metadata,
    sa.Column("warehouse", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("quantity", sa.BigInteger, nullable=False),
)
"""What those orders took away: without it, the books of the stock would not add up."""

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""The schema's version (`schema`), and the number of `partitions` it was made with."""

saga_versions = sa.Table(
    "saga_versions",
    metadata,
    sa.Column("saga", sa.Text, primary_key=True),
    sa.Column("version", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("fingerprint", sa.Text, nullable=False),
    sa.Column("shape", sa.Text, nullable=False),
)
"""Every version of a saga definition that this database was used with; see `saga_versions`."""

early_replies = sa.Table(
    "early_replies",
    metadata,
    sa.Column("id", Number, sa.Identity(), primary_key=True),
    sa.Column("consumer", sa.Text, nullable=False),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("topic", sa.Text, nullable=False),
    sa.Column("partition", sa.Integer, nullable=False),
    sa.Column("position", Number, nullable=False),
    sa.Column("key", sa.LargeBinary),
    sa.Column("value", sa.LargeBinary),
    sa.Column("headers", sa.LargeBinary),
    sa.Column("at", sa.Float(53), nullable=False),
)
"""Replies that came before their saga began, or before their step was sent; `at` is when."""

schedules = sa.Table(
    "schedules",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("due", sa.Float(53), nullable=False),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("started_at", sa.Float(53)),
)
"""The newest due time of each schedule that was settled, and the order that was started for it.

No `started_at` means that none was started: it is the time from which due times count."""

_COLUMNS: dict[type, sa.types.TypeEngine[typing.Any]] = {
    str: sa.Text(),
    int: sa.BigInteger(),
    float: sa.Float(53),
}


@cache
def table_of(entity: type[Entity]) -> sa.Table:
    """The table of an entity class: a column a field; anything but text and numbers as JSON."""
    hints = typing.get_type_hints(entity)
    by_order = entity.key == ("order_id",)
    columns = [sa.Column("no", Number, primary_key=True, autoincrement=False)] if by_order else []
    for field in msgspec.structs.fields(entity):
        columns.append(
            sa.Column(
                field.name,
                _COLUMNS.get(hints[field.name], sa.Text()),
                nullable=False,
                primary_key=not by_order and field.name in entity.key,
            )
        )
    table = sa.Table(entity.table, metadata, *columns)
    if entity.pending:
        owed = table.c.status == entity.pending
        partial_index(f"{entity.table}_pending", table.c.no, where=owed)
    return table


for _entity in ENTITIES:
    table_of(_entity)

sa.Index("orders_by_status", table_of(Order).c.status, table_of(Order).c.no)
sa.Index("stock_by_sku", table_of(StockLevel).c.sku)
