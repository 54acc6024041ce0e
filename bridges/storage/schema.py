"""Table definitions of the newest schema version, for SQLite and PostgreSQL.

A change of a definition needs a migration (`order_sagas.bridges.storage.migrations`).

Every order id has a row in `order_keys`, whose number is the key in other tables. Orders arrive in
about the order of their numbers, so that rows are appended rather than scattered over an index.
"""

import typing
from functools import cache

import msgspec
import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from order_sagas.actors.entities import ENTITIES, Entity, Order, StockLevel
from order_sagas.bridges.storage.log_queues import LEFT_FOR_OTHERS, LEFT_FOR_ROLE, TO_READ

metadata = sa.MetaData()


def partial_index(
    name: str,
    *columns: sa.ColumnElement[typing.Any],
    where: sa.ColumnElement[bool],
    unique: bool = False,
) -> None:
    """Define an index of the rows that meet a condition, for both databases.

    `ddl` adds the condition for PostgreSQL: naming it here would load SQLAlchemy's dialect of
    PostgreSQL, for which a command on SQLite should not wait.
    """
    sa.Index(name, *columns, unique=unique, sqlite_where=where, info={"where": where})


class Indexed(FunctionElement[str]):
    """A text of any length as an index has it: on PostgreSQL its beginning.

    The entries of PostgreSQL's indexes are limited to about 2,700 bytes.
    """

    inherit_cache = True
    type = sa.Text()


@compiles(Indexed)
def _beginning(indexed: Indexed, compiler: typing.Any, **options: typing.Any) -> str:
    return f"substr({compiler.process(indexed.clauses, **options)}, 1, 200)"


@compiles(Indexed, "sqlite")
def _whole(indexed: Indexed, compiler: typing.Any, **options: typing.Any) -> str:
    return str(compiler.process(indexed.clauses, **options))


Number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
Bytewise = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
"""Text compared bytewise, so that an index finds prefixes; SQLite's text always is."""

order_keys = sa.Table(
    "order_keys",
    metadata,
    sa.Column("no", Number, sa.Identity(), primary_key=True),
    sa.Column("order_id", Bytewise, nullable=False, unique=True),
    sa.Column("shard", sa.Integer, nullable=False),
    sa.Column("fingerprint", sa.LargeBinary),
    sa.Column("submitter", sa.Text),
)
"""`submitter` is the name of the token with which the order was submitted, if there was one."""

order_keywords = sa.Table(
    "order_keywords",
    metadata,
    sa.Column("block", Number, primary_key=True, autoincrement=False),
    sa.Column("keyword", Number, primary_key=True, autoincrement=False),
    sa.Column("shard", sa.Integer, primary_key=True, autoincrement=False),
    sqlite_with_rowid=False,
)
"""Which blocks of numbers of orders may have a keyword, such as a SKU; see `storage.keywords`."""
sa.Index("order_keywords_by_keyword", order_keywords.c.keyword, order_keywords.c.block)

submitted = sa.Table(
    "submitted",
    metadata,
    sa.Column("no", Number, primary_key=True, autoincrement=False),
)
"""Numbers below the mark of `storage.waiting_orders` whose orders were not stored yet."""

idempotency_keys = sa.Table(
    "idempotency_keys",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, nullable=False),
    sa.Column("used_at", sa.Float(53)),
)
"""The order that was first submitted with each client's key; `used_at` is NULL in older rows."""
sa.Index("idempotency_keys_by_age", idempotency_keys.c.used_at)

saga_starts = sa.Table(
    "saga_starts",
    metadata,
    sa.Column("saga", sa.Text, primary_key=True),
    sa.Column("order_id", sa.Text, primary_key=True),
    sa.Column("fingerprint", sa.LargeBinary, nullable=False),
)
"""The sagas that were started by a command or over HTTP, with the fingerprint of what was given, so
that a repeated start is recognised at any later time. Orders have theirs in `order_keys`."""

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
"""`skipped` is 1 for a cancelled saga of which an operator skipped a step: effects of that step,
such as held goods, may remain."""
partial_index("sagas_in_flight", sagas.c.shard, sagas.c.deadline, where=sagas.c.ended_at.is_(None))
sa.Index("sagas_by_status", sagas.c.status, sagas.c.no)

sa.Index("sagas_by_version", sagas.c.version, sagas.c.no)
partial_index("sagas_by_end", sagas.c.ended_at, sagas.c.no, where=sagas.c.ended_at.is_not(None))
_failed = sagas.c.code != sa.literal_column("''")
partial_index("sagas_by_code", Indexed(sagas.c.code), sagas.c.no, where=_failed)
partial_index("sagas_failed", sagas.c.no, Indexed(sagas.c.reason), where=_failed)

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
"""The embedded log; `handled` and `role` are explained in `storage.log_queues`."""
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
"""The position up to which records are handled, committed with the results of handling them."""

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
    sqlite_autoincrement=True,  # an id is never reused: two processes may know the row
)
"""Committed records that may not be published yet; the owner of `shard` publishes them."""
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
"""Pruned orders. Besides this, only their row in `order_keys` is kept."""

pruned_goods = sa.Table(
    "pruned_goods",
    metadata,
    sa.Column("warehouse", sa.Text, primary_key=True),
    sa.Column("sku", sa.Text, primary_key=True),
    sa.Column("quantity", sa.BigInteger, nullable=False),
)
"""Goods sold by pruned orders, for the audit of the stock."""

meta = sa.Table(
    "meta",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
"""The schema version (`schema`), the number of `partitions`, and marks."""

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
    sa.Column("id", sa.Text, primary_key=True),
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

operator_actions = sa.Table(
    "operator_actions",
    metadata,
    sa.Column("no", Number, sa.Identity(), primary_key=True),
    sa.Column("event_id", sa.Text, nullable=False, unique=True),
    sa.Column("request", sa.Text, nullable=False),
    sa.Column("asked_at", sa.Float(53), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("via", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("step", sa.Text, nullable=False),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("outcome", sa.Text, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    sa.Column("done_at", sa.Float(53)),
    sa.Column("approved_by", sa.Text, nullable=False, server_default=""),
    sa.Column("command", sa.LargeBinary),
)
"""Actions of operators, with their outcomes; see `storage.operator_actions`."""
sa.Index("operator_actions_by_request", operator_actions.c.request, operator_actions.c.no)
sa.Index("operator_actions_by_target", operator_actions.c.target, operator_actions.c.no)
sa.Index("operator_actions_by_age", operator_actions.c.asked_at)

history = sa.Table(
    "history",
    metadata,
    sa.Column("resolution", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("at", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("source", sa.Text, primary_key=True),
    *(
        sa.Column(name, sa.BigInteger, nullable=False)
        for name in ("started", "ended", "cancelled", "records", "dead_letters")
    ),
    sa.Column("durations", sa.Text, nullable=False),
    sa.Column("in_flight", sa.BigInteger, nullable=False),
    sa.Column("shards", sa.BigInteger, nullable=False),
    sa.Column("needs_attention", sa.BigInteger),
    sa.Column("overdue", sa.BigInteger),
    sa.Column("waiting", sa.BigInteger),
)
"""Figures of the last hours; see `storage.history`."""

audits = sa.Table(
    "audits",
    metadata,
    sa.Column("id", Number, sa.Identity(), primary_key=True),
    sa.Column("at", sa.Float(53), nullable=False),
    sa.Column("by", sa.Text, nullable=False),
    sa.Column("took", sa.Float(53), nullable=False),
    sa.Column("ok", sa.Integer, nullable=False),
    sa.Column("report", sa.Text, nullable=False),
)
"""The results of the last audits; see `storage.audits`."""

_COLUMNS: dict[type, sa.types.TypeEngine[typing.Any]] = {
    str: sa.Text(),
    int: sa.BigInteger(),
    float: sa.Float(53),
}


@cache
def table_of(entity: type[Entity]) -> sa.Table:
    """Return the table of an entity class, with a column for each field; other types are JSON."""
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
    table = sa.Table(entity.table, metadata, *columns, info={"entity": entity})
    if entity.pending:
        owed = table.c.status == entity.pending
        partial_index(f"{entity.table}_pending", table.c.no, where=owed)
    return table


for _entity in ENTITIES:
    table_of(_entity)

sa.Index("orders_by_status", table_of(Order).c.status, table_of(Order).c.no)
sa.Index("orders_by_amount", table_of(Order).c.amount)
sa.Index("orders_by_customer", table_of(Order).c.customer_id, table_of(Order).c.no)
sa.Index("stock_by_sku", table_of(StockLevel).c.sku)
