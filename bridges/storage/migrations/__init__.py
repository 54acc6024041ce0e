"""How a database of a former schema version becomes one of the newest: one step after the other.

`meta` holds the version of a database in its row `schema`. A new database is made whole, at the
newest version, from the definitions in `schema`; an older one gets the migrations in their order,
each in one transaction together with its number. There is no way back: restore a backup.

To change what is stored: change the definitions, add a module `version_N` here, and put it into
MIGRATIONS. A migration is written once and never changed: it uses no definition of the rest of the
code, which goes on changing. `tests/golden` has databases of former versions to try it on.
"""

from order_sagas.bridges.storage.migrations.migration import Migration
from order_sagas.bridges.storage.migrations.version_2 import VERSION_2
from order_sagas.bridges.storage.migrations.version_3 import VERSION_3
from order_sagas.bridges.storage.migrations.version_4 import VERSION_4
from order_sagas.bridges.storage.migrations.version_5 import VERSION_5
from order_sagas.bridges.storage.migrations.version_6 import VERSION_6

MIGRATIONS: tuple[Migration, ...] = (VERSION_2, VERSION_3, VERSION_4, VERSION_5, VERSION_6)

FIRST = 1
"""The version of databases that came before any migration."""
NEWEST = MIGRATIONS[-1].version
