"""A business beside that of orders: cars are rented out. The tests of apps run it.

Two services run in the app (`cars`, and `deposits` with a client). The third, `desk`, runs
elsewhere: it takes `HAND_OVER_KEYS` and answers `KEYS_HANDED_OVER`.
"""

from tests.support.rentals.app import APP as APP
