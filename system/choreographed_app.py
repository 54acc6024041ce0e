"""The order business with services elsewhere that act on events: `--services choreographed`."""

from order_sagas.actors.choreographed_order import CHOREOGRAPHED_ORDER
from order_sagas.actors.services.orders import OrderService
from order_sagas.system.app import App

APP = App(sagas=(CHOREOGRAPHED_ORDER,), services=(OrderService,))
"""The orchestrator, and the orders as it sees them."""
