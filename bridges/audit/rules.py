"""The rules, and for each the SQL that finds its violations, one row each.

The first column is the subject of the violation (an order id, a SKU), the second what was found.
Words in braces are replaced by the `Ledger`, because they differ between databases.

The rules for money and goods do not apply to sagas with a step that an operator skipped. Their
history says who skipped it and why.
"""

from collections.abc import Iterable
from typing import Any

import attrs

from order_sagas.actors.messages import OrderCreated
from order_sagas.actors.sagas.definition import Saga

ALWAYS, ENDED = "always", "ended"
"""When a rule holds: after every commit, or once every saga has ended."""


@attrs.frozen
class Check:
    """A rule.

    `of` is the SQL that counts the `things` examined, `broken` the SQL that finds violations.
    """

    name: str
    rule: str
    things: str
    of: str
    broken: str
    when: str = ALWAYS
    stored_by: str = ""
    """The participant whose service stores what is examined; empty for the sagas themselves."""


_PLACED = "s.saga = 'place-order'"
_NOT_SKIPPED = "s.state NOT LIKE '%\"skip by %'"

ORDERS = (
    Check(
        "one end",
        "An order is completed or cancelled only if its place-order saga is.",
        "orders",
        "SELECT count(*) FROM orders",
        f"""SELECT o.order_id, 'the order is ' || o.status || ', its saga ' || s.status
            FROM orders o JOIN sagas s ON s.no = o.no AND {_PLACED}
            WHERE o.status IN ('COMPLETED', 'CANCELLED') AND s.status <> o.status""",
    ),
    Check(
        "all ended",
        "Every order has exactly one final status, the same as its saga.",
        "orders",
        "SELECT count(*) FROM orders",
        f"""SELECT o.order_id,
                'the order is ' || o.status || ', its saga ' || coalesce(s.status, 'missing')
            FROM orders o LEFT JOIN sagas s ON s.no = o.no AND {_PLACED}
            WHERE o.status NOT IN ('COMPLETED', 'CANCELLED') OR s.no IS NULL
                OR s.status <> o.status
            UNION ALL
            SELECT s.order_id, 'the saga is ' || s.status || ', and there is no such order'
            FROM sagas s LEFT JOIN orders o ON o.no = s.no WHERE {_PLACED} AND o.no IS NULL
            UNION ALL
            SELECT s.order_id, s.saga || ' is ' || s.status
            FROM sagas s WHERE s.ended_at IS NULL AND NOT {_PLACED}""",
        ENDED,
    ),
)

MONEY = (
    Check(
        "charged once",
        "No payment is charged or refunded twice, and its status says what was done.",
        "payments",
        "SELECT count(*) FROM payments",
        """SELECT p.order_id, p.status || ', charges: ' || p.charges || ', refunds: '
                || p.refunds
            FROM payments p WHERE NOT (
                (p.status = 'PENDING' AND p.charges IN (0, 1) AND p.refunds = 0)
                OR (p.status = 'COMPLETED' AND p.charges = 1 AND p.refunds = 0)
                OR (p.status = 'REFUNDED' AND p.charges = 1 AND p.refunds = 1)
                OR (p.status IN ('FAILED', 'BLOCKED') AND p.charges = 0 AND p.refunds = 0))""",
    ),
    Check(
        "no charge kept",
        "The charge of a cancelled order was refunded once, and no charge is pending.",
        "payments of cancelled orders",
        f"""SELECT count(*) FROM payments p JOIN sagas s ON s.no = p.no
            WHERE {_PLACED} AND s.status = 'CANCELLED'""",
        f"""SELECT p.order_id, 'the payment is ' || p.status || ', charges: ' || p.charges
                || ', refunds: ' || p.refunds
            FROM payments p JOIN sagas s ON s.no = p.no
            WHERE {_PLACED} AND s.status = 'CANCELLED' AND {_NOT_SKIPPED}
                AND (p.status IN ('COMPLETED', 'PENDING') OR p.charges <> p.refunds)""",
    ),
    Check(
        "paid for",
        "A completed order is paid for, and its goods are held for it.",
        "completed orders",
        f"SELECT count(*) FROM sagas s WHERE {_PLACED} AND s.status = 'COMPLETED'",
        # Another saga of the order, such as a return, may have refunded and released both.
        f"""SELECT s.order_id, 'the payment is ' || coalesce(p.status, 'unknown')
                || ', the reservation ' || coalesce(r.status, 'unknown')
            FROM sagas s LEFT JOIN payments p ON p.no = s.no LEFT JOIN reservations r ON r.no = s.no
            WHERE {_PLACED} AND s.status = 'COMPLETED' AND {_NOT_SKIPPED}
                AND (p.status IN ('PENDING', 'FAILED', 'BLOCKED')
                    OR r.status IN ('REFUSED', 'BLOCKED')
                    OR ((p.status = 'REFUNDED' OR r.status = 'RELEASED') AND NOT EXISTS
                        (SELECT 1 FROM sagas o WHERE o.no = s.no AND o.saga <> s.saga)))""",
    ),
    Check(
        "charged as asked",
        "A completed order was charged its amount, in its currency.",
        "payments of completed orders",
        f"""SELECT count(*) FROM payments p JOIN sagas s ON s.no = p.no
            WHERE {_PLACED} AND s.status = 'COMPLETED'""",
        f"""SELECT p.order_id, 'the order is worth ' || o.amount || ' minor units of '
                || o.currency || ', the charge is ' || p.amount || ' of ' || p.currency
            FROM payments p JOIN sagas s ON s.no = p.no JOIN orders o ON o.no = p.no
            WHERE {_PLACED} AND s.status = 'COMPLETED' AND {_NOT_SKIPPED}
                AND p.status IN ('COMPLETED', 'REFUNDED')
                AND (p.amount <> o.amount OR upper(p.currency) <> upper(o.currency))""",
    ),
)

GOODS = (
    Check(
        "reserved as asked",
        "The goods that are held for a completed order are those of its lines.",
        "reservations of completed orders",
        f"""SELECT count(*) FROM reservations r JOIN sagas s ON s.no = r.no
            WHERE {_PLACED} AND s.status = 'COMPLETED'""",
        f"""SELECT r.order_id, 'the order has ' || o.lines || ', the reservation ' || r.lines
            FROM reservations r JOIN sagas s ON s.no = r.no JOIN orders o ON o.no = r.no
            WHERE {_PLACED} AND s.status = 'COMPLETED' AND {_NOT_SKIPPED}
                AND r.status = 'HELD' AND r.lines <> o.lines""",
    ),
    Check(
        "goods released",
        "A cancelled order holds no goods.",
        "reservations of cancelled orders",
        f"""SELECT count(*) FROM reservations r JOIN sagas s ON s.no = r.no
            WHERE {_PLACED} AND s.status = 'CANCELLED'""",
        f"""SELECT r.order_id, 'the reservation is ' || r.status || ' in ' || r.warehouse
            FROM reservations r JOIN sagas s ON s.no = r.no
            WHERE {_PLACED} AND s.status = 'CANCELLED' AND {_NOT_SKIPPED} AND r.status = 'HELD'""",
    ),
    Check(
        "no oversell",
        "No quantity of a SKU in a warehouse is negative, on hand or reserved.",
        "SKUs",
        "SELECT count(*) FROM stock",
        """SELECT t.sku || ' in ' || t.warehouse,
                t.on_hand || ' on hand, ' || t.reserved || ' reserved'
            FROM stock t WHERE t.on_hand < 0 OR t.reserved < 0""",
    ),
    Check(
        "stock conserved",
        "For each SKU in each warehouse, on hand + held + sold = loaded.",
        "SKUs",
        "SELECT count(*) FROM stock",
        """WITH taken AS (
                SELECT r.warehouse AS warehouse, {sku} AS sku,
                    sum(CASE WHEN o.status = 'COMPLETED' THEN 0 ELSE {quantity} END) AS held,
                    sum(CASE WHEN o.status = 'COMPLETED' THEN {quantity} ELSE 0 END) AS sold
                FROM reservations r LEFT JOIN orders o ON o.no = r.no CROSS JOIN {lines}
                WHERE r.status = 'HELD' GROUP BY 1, 2),
            gone AS (SELECT warehouse, sku, quantity FROM pruned_goods),
            brought AS (
                SELECT r.warehouse AS warehouse, {sku} AS sku, sum({quantity}) AS loaded
                FROM stock_loads r CROSS JOIN {lines} GROUP BY 1, 2),
            every_sku AS (
                SELECT warehouse, sku FROM stock
                UNION SELECT warehouse, sku FROM taken
                UNION SELECT warehouse, sku FROM gone
                UNION SELECT warehouse, sku FROM brought),
            level AS (
                SELECT e.warehouse, e.sku, coalesce(t.on_hand, 0) AS on_hand,
                    coalesce(t.reserved, 0) AS reserved, coalesce(t.loaded, 0) AS loaded,
                    coalesce(k.held, 0) AS held, coalesce(b.loaded, 0) AS brought,
                    coalesce(k.sold, 0) + coalesce(g.quantity, 0) AS sold
                FROM every_sku e
                LEFT JOIN stock t ON t.warehouse = e.warehouse AND t.sku = e.sku
                LEFT JOIN taken k ON k.warehouse = e.warehouse AND k.sku = e.sku
                LEFT JOIN gone g ON g.warehouse = e.warehouse AND g.sku = e.sku
                LEFT JOIN brought b ON b.warehouse = e.warehouse AND b.sku = e.sku)
            SELECT sku || ' in ' || warehouse,
                on_hand || ' on hand + ' || held || ' held + ' || sold || ' sold, of ' || brought
                || ' loaded; the level says ' || reserved || ' reserved of ' || loaded
            FROM level WHERE on_hand + held + sold <> brought OR loaded <> brought
                OR on_hand + reserved <> loaded""",
    ),
)

SAGAS = (
    Check(
        "deadline",
        "A saga in flight has a deadline, or the status NEEDS_ATTENTION.",
        "sagas in flight",
        "SELECT count(*) FROM sagas WHERE ended_at IS NULL",
        """SELECT s.order_id, s.saga || ' is ' || s.status || ' without a deadline'
            FROM sagas s WHERE s.ended_at IS NULL AND s.deadline IS NULL
                AND s.status <> 'NEEDS_ATTENTION'""",
    ),
    Check(
        "nothing after the end",
        "A saga ends once, and has no transition after its end.",
        "ended sagas",
        "SELECT count(*) FROM sagas WHERE ended_at IS NOT NULL",
        """SELECT s.order_id, s.saga || ' is ' || s.status || ', and its history ends with '
                || coalesce({last_event}, 'nothing')
            FROM sagas s WHERE s.ended_at IS NOT NULL
                AND coalesce({last_event}, '') <> 'saga.' || lower(s.status)""",
    ),
    Check(
        "each step once",
        "Every transition of a saga is in its history; each completed step and the end occur once.",
        "sagas",
        "SELECT count(*) FROM sagas",
        """SELECT s.order_id, s.saga || ' counted ' || s.seq || ' transitions and remembers '
                || count(*) || ', ' || count({once}) || ' of which happen once, to '
                || count(DISTINCT {once}) || ' steps'
            FROM sagas s CROSS JOIN {history} WHERE {event} <> 'saga.message_ignored'
            GROUP BY s.no, s.saga, s.order_id, s.seq
            HAVING count(*) <> s.seq OR count({once}) <> count(DISTINCT {once})""",
    ),
)

CUSTOMERS = (
    Check(
        "notified once",
        "An order has one notification, which names its final status, and is sent at most once.",
        "notifications",
        "SELECT count(*) FROM notifications",
        f"""SELECT n.order_id, n.status || ' about ' || n.about || ', times sent: ' || n.sends
                || '; the saga is ' || coalesce(s.status, 'missing')
            FROM notifications n LEFT JOIN sagas s ON s.no = n.no AND {_PLACED}
            WHERE n.sends > 1 OR (n.sends = 1) <> (n.status = 'SENT') OR s.no IS NULL
                OR s.status <> upper(n.about)""",
        stored_by="notifications",
    ),
    Check(
        "told once",
        "The embedded log has one final event of an order, with one event id on each topic.",
        "ends in the log",
        "SELECT count(*) FROM log l WHERE {is_end}",
        """SELECT CAST(l.key AS TEXT), 'event ids: ' || count(DISTINCT l.topic || {event_id})
                || ', topics: ' || count(DISTINCT l.topic) || ', ends: ' || count(DISTINCT {end})
            FROM log l WHERE {is_end} GROUP BY l.key
            HAVING count(DISTINCT l.topic || {event_id}) > count(DISTINCT l.topic)
                OR count(DISTINCT {end}) > 1""",
    ),
    Check(
        "all notified",
        "Every ended order has one notification, sent or failed, and none is pending.",
        "ended orders",
        f"SELECT count(*) FROM sagas s WHERE {_PLACED} AND s.ended_at IS NOT NULL",
        f"""SELECT s.order_id, 'the notification is ' || coalesce(n.status, 'missing')
            FROM sagas s LEFT JOIN notifications n ON n.no = s.no
            WHERE {_PLACED} AND s.ended_at IS NOT NULL
                AND (n.no IS NULL OR n.status NOT IN ('SENT', 'FAILED'))""",
        ENDED,
        stored_by="notifications",
    ),
)


BEGUN = Check(
    "begun",
    "Each order that was accepted begins: its record is in Kafka until it is handled.",
    "orders",
    "",
    "",
)
"""A rule that needs Kafka beside the database, and so has no SQL; the audit command checks it."""

IN_REACH = Check(
    "deadline in reach",
    "No deadline lies farther ahead than the longest wait of its saga.",
    "sagas in flight",
    "",
    "",
)
"""A rule that needs the definitions and the time; the audit command checks it."""


def checks_for(sagas: Iterable[Saga[Any]]) -> tuple[Check, ...]:
    """Every check, for books with sagas of these definitions.

    The rules of orders, money, goods and customers hold for sagas that orders start.
    """
    sagas = [*sagas]
    rows = [
        f"('{_quoted(saga.name)}', {saga.version}, '{_quoted(saga.rows[i].name)}', {stage}, "
        f"{int(bool(saga.rows[i].undone))})"
        for saga in sagas
        for stage, members in enumerate(saga.stage_steps)
        for i in members
    ]
    undo = _compensations(", ".join(rows)) if rows else ()
    if not any(saga.starts_on is OrderCreated for saga in sagas):
        return (*SAGAS, *undo)
    return (*ORDERS, *MONEY, *GOODS, *SAGAS, *undo, *CUSTOMERS)


def _quoted(name: str) -> str:
    """A name inside an SQL text that is formatted afterwards."""
    return name.replace("'", "''").replace("{", "{{").replace("}", "}}")


def _compensations(rows: str) -> tuple[Check, ...]:
    """The checks of compensations.

    `rows` are (saga, version, step, its stage, 1 if its undo is acknowledged).
    """
    entries = f"""
        place(saga, version, step, stage, acknowledged) AS (VALUES {rows}),
        entries AS (
            SELECT s.no, s.order_id, s.saga, s.version, s.status, h.key AS at, {{event}} AS event,
                {{step}} AS step, {_NOT_SKIPPED} AS whole
            FROM sagas s CROSS JOIN {{history}} WHERE s.code <> '')"""
    here = "place.saga = e.saga AND place.version = e.version AND place.step = e.step"
    return (
        Check(
            "newest first",
            "Steps are compensated in reverse order of their completion, parallel ones together.",
            "steps undone",
            """SELECT count(*) FROM sagas s CROSS JOIN {history}
                WHERE s.code <> '' AND {event} = 'saga.step_undone'""",
            f"""WITH {entries}, back AS (
                    SELECT e.order_id, e.saga, e.step, place.stage,
                        lag(e.step) OVER w AS step_before, lag(place.stage) OVER w AS stage_before
                    FROM entries e JOIN place ON {here} WHERE e.event = 'saga.step_undone'
                    WINDOW w AS (PARTITION BY e.no, e.saga ORDER BY e.at))
                SELECT order_id, saga || ': ' || step || ' was undone after ' || step_before
                FROM back WHERE stage > stage_before""",
        ),
        Check(
            "undone whole",
            "A cancelled saga has compensated every step that it had completed.",
            "steps completed by cancelled sagas",
            """SELECT count(*) FROM sagas s CROSS JOIN {history}
                WHERE s.status = 'CANCELLED' AND {event} = 'saga.step_completed'""",
            f"""WITH {entries}
                SELECT order_id, saga || ': ' || step || ' was completed and not undone' FROM (
                    SELECT e.no, e.order_id, e.saga, e.step
                    FROM entries e JOIN place ON {here}
                    WHERE e.status = 'CANCELLED' AND e.event = 'saga.step_completed' AND e.whole
                        AND place.acknowledged = 1
                    EXCEPT
                    SELECT e.no, e.order_id, e.saga, e.step
                    FROM entries e WHERE e.event = 'saga.step_undone') missed""",
        ),
    )
