"""Migrations of databases of former schema versions to the newest one.

`meta` has the version of a database in its row `schema`. A new database is created at the newest
version, from the definitions in `schema`. In an older one the migrations run in order, each in one
transaction that also stores its version. There is no downgrade: restore a backup.

To change what is stored: change the definitions, add a module `version_N` here, and add it to
MIGRATIONS. A released migration is never changed, so it uses no definitions of other modules, which
may change. `tests/golden` has databases of former versions to test it on.
"""

from order_sagas.bridges.storage.migrations.migration import Migration
from order_sagas.bridges.storage.migrations.version_2 import VERSION_2
from order_sagas.bridges.storage.migrations.version_3 import VERSION_3
from order_sagas.bridges.storage.migrations.version_4 import VERSION_4
from order_sagas.bridges.storage.migrations.version_5 import VERSION_5
from order_sagas.bridges.storage.migrations.version_6 import VERSION_6
from order_sagas.bridges.storage.migrations.version_7 import VERSION_7
from order_sagas.bridges.storage.migrations.version_8 import VERSION_8
from order_sagas.bridges.storage.migrations.version_9 import VERSION_9
from order_sagas.bridges.storage.migrations.version_10 import VERSION_10
from order_sagas.bridges.storage.migrations.version_11 import VERSION_11
from order_sagas.bridges.storage.migrations.version_12 import VERSION_12
from order_sagas.bridges.storage.migrations.version_13 import VERSION_13
from order_sagas.bridges.storage.migrations.version_14 import VERSION_14

MIGRATIONS: tuple[Migration, ...] = (
    VERSION_2,
    VERSION_3,
    VERSION_4,
    VERSION_5,
    VERSION_6,
    VERSION_7,
    VERSION_8,
    VERSION_9,
    VERSION_10,
    VERSION_11,
    VERSION_12,
    VERSION_13,
    VERSION_14,
)

FIRST = 1
"""The version of databases from before the first migration."""
NEWEST = MIGRATIONS[-1].version
