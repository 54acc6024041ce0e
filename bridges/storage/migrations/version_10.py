"""Version 10: operators' actions are stored, and orders are found by customer."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_10 = Migration(
    10,
    "Every action of an operator is stored, with what became of it; orders have an index of "
    "customers.",
    (
        Sql(
            "CREATE TABLE operator_actions (no {identity} NOT NULL, event_id TEXT NOT NULL, "
            'request TEXT NOT NULL, asked_at {float} NOT NULL, "by" TEXT NOT NULL, '
            "via TEXT NOT NULL, action TEXT NOT NULL, kind TEXT NOT NULL, target TEXT NOT NULL, "
            "step TEXT NOT NULL, why TEXT NOT NULL, outcome TEXT NOT NULL, detail TEXT NOT NULL, "
            "done_at {float}, approved_by TEXT DEFAULT '' NOT NULL, command {bytes}, "
            "PRIMARY KEY (no), UNIQUE (event_id))"
        ),
        Sql("CREATE INDEX orders_by_customer ON orders (customer_id, no)"),
        Sql("CREATE INDEX operator_actions_by_age ON operator_actions (asked_at)"),
        Sql("CREATE INDEX operator_actions_by_request ON operator_actions (request, no)"),
        Sql("CREATE INDEX operator_actions_by_target ON operator_actions (target, no)"),
    ),
)
