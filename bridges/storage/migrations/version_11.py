"""Version 11: figures of the last hours, and the results of audits."""

from order_sagas.bridges.storage.migrations.migration import Migration, Sql

VERSION_11 = Migration(
    11,
    "The system keeps figures of the last hours, and the results of audits.",
    (
        Sql(
            "CREATE TABLE history (resolution INTEGER NOT NULL, at BIGINT NOT NULL, "
            "source TEXT NOT NULL, started BIGINT NOT NULL, ended BIGINT NOT NULL, "
            "cancelled BIGINT NOT NULL, records BIGINT NOT NULL, "
            "dead_letters BIGINT NOT NULL, durations TEXT NOT NULL, "
            "in_flight BIGINT NOT NULL, shards BIGINT NOT NULL, needs_attention BIGINT, "
            "overdue BIGINT, waiting BIGINT, PRIMARY KEY (resolution, at, source))"
        ),
        Sql(
            'CREATE TABLE audits (id {identity} NOT NULL, at {float} NOT NULL, "by" TEXT NOT NULL, '
            "took {float} NOT NULL, ok INTEGER NOT NULL, report TEXT NOT NULL, PRIMARY KEY (id))"
        ),
    ),
)
