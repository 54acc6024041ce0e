"""The secret of an installation, in its database: values derived from it cannot be guessed."""

import secrets

from order_sagas.bridges.intake.intake import Log

NAME = "installation-secret"


def installation_secret(log: Log) -> bytes:
    """Return the 32 random bytes that all processes with this database share.

    The first caller makes them. Raises StoreError if the database cannot be read or written.
    """
    db, mark = log.db, log.db.placeholder
    query = f"SELECT value FROM meta WHERE name = '{NAME}'"
    if not (found := [value for (value,) in db.rows(query, ())]):
        with log.transaction() as cursor:
            cursor.execute(
                f"INSERT INTO meta (name, value) VALUES ('{NAME}', {mark}) "
                "ON CONFLICT (name) DO NOTHING",
                (secrets.token_hex(32),),
            )
        found = [value for (value,) in db.rows(query, ())]
    return bytes.fromhex(found[0])
