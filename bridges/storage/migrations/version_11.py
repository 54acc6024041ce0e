"""Version 11: figures of the last hours, and the results of audits."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_11 = Migration(
    11,
    "The system keeps figures of the last hours, and the results of audits.",
    (
        Sql(
            "CREATE TABLE history (resolution INTEGER NOT NULL, at {integer} NOT NULL, "
            "source TEXT NOT NULL, started {integer} NOT NULL, ended {integer} NOT NULL, "
            "cancelled {integer} NOT NULL, records {integer} NOT NULL, "
            "dead_letters {integer} NOT NULL, durations TEXT NOT NULL, "
            "in_flight {integer} NOT NULL, shards {integer} NOT NULL, needs_attention {integer}, "
            "overdue {integer}, waiting {integer}, PRIMARY KEY (resolution, at, source))"
        ),
        Sql(
            'CREATE TABLE audits (id {identity} NOT NULL, at {float} NOT NULL, "by" TEXT NOT NULL, '
            "took {float} NOT NULL, ok INTEGER NOT NULL, report TEXT NOT NULL, PRIMARY KEY (id))"
        ),
    ),
)
