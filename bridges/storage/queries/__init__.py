"""Queries of commands and of the HTTP API: orders, sagas, all of one order, stock. Read-only.

They may run while a system runs, and block no writer.
"""

from order_sagas.bridges.storage.queries.kept_records import (
    deferred_of,
    early,
    early_count,
    early_of,
)
from order_sagas.bridges.storage.queries.one_order import entities_of_order, order
from order_sagas.bridges.storage.queries.order_pages import (
    ORDER_STATUSES,
    ORDERS_SAGA,
    STATUS,
    SUBMITTED,
    numbers_of_orders,
    order_counts,
    orders,
    orders_page,
    orders_query,
)
from order_sagas.bridges.storage.queries.saga_locks import lock_claims, locks
from order_sagas.bridges.storage.queries.saga_pages import (
    IN_FLIGHT,
    SAGA_STATUSES,
    attention_count,
    in_flight,
    needing_attention,
    oldest,
    outcomes,
    saga_counts,
    saga_outcomes,
    saga_statuses,
    sagas_of,
    sagas_page,
    sagas_query,
    states_by_deadline,
)
from order_sagas.bridges.storage.queries.settled_schedules import schedules
from order_sagas.bridges.storage.queries.stock_levels import stock
from order_sagas.bridges.storage.queries.unhandled_records import (
    all_handled,
    handled_up_to,
    waiting,
    waiting_by_role,
    waiting_loads,
)
from order_sagas.bridges.storage.reading import reading

__all__ = [
    "IN_FLIGHT",
    "ORDERS_SAGA",
    "ORDER_STATUSES",
    "SAGA_STATUSES",
    "STATUS",
    "SUBMITTED",
    "all_handled",
    "attention_count",
    "deferred_of",
    "early",
    "early_count",
    "early_of",
    "entities_of_order",
    "handled_up_to",
    "in_flight",
    "lock_claims",
    "locks",
    "needing_attention",
    "numbers_of_orders",
    "oldest",
    "order",
    "order_counts",
    "orders",
    "orders_page",
    "orders_query",
    "outcomes",
    "reading",
    "saga_counts",
    "saga_outcomes",
    "saga_statuses",
    "sagas_of",
    "sagas_page",
    "sagas_query",
    "schedules",
    "states_by_deadline",
    "stock",
    "waiting",
    "waiting_by_role",
    "waiting_loads",
]
