"""Lines as a saga writes them."""

from datetime import UTC, datetime

START = datetime(2025, 11, 24, 14, 25, 3, 120_000, UTC).timestamp()


def line(event, seq, offset=0.0, *, saga_id="place-order/o-1", **more):
    """One line, `offset` seconds after the saga's start; the cause tells the sequence number."""
    moment = datetime.fromtimestamp(START + offset, UTC)
    return {
        "timestamp": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": "info",
        "event": f"saga.{event}",
        "saga": saga_id.partition("/")[0],
        "saga_id": saga_id,
        "order_id": "o-1",
        "seq": seq,
        "cause": f"event-{seq}",
        **more,
    }


STEPS = ["process payment", "reserve stock", "complete order"]
STARTED = line("started", 1, version=1, steps=STEPS, sent=["process payment"])
PAID = line(
    "step_completed", 2, 0.04, step="process payment", attempt=1, took=0.04, sent=["reserve stock"]
)
COMPENSATED = [
    STARTED,
    PAID,
    line(
        "step_timed_out", 3, 10.04, step="reserve stock", attempt=1, waited=10.0, retry_in=0.5,
        cause="timer:reserve stock:1",
    ),
    line("step_retried", 4, 10.54, step="reserve stock", attempt=2, cause="timer:reserve stock:1"),
    line(
        "message_ignored", 4, 10.6, step="process payment", status="PAYMENT_COMPLETED",
        reason="stale attempt 1", cause="event-late",
    ),
    line(
        "step_failed", 5, 10.7, step="reserve stock", attempt=2, took=0.16, code="OUT_OF_STOCK",
        reason="SKU-9: 4 wanted; 3 there", undo=["process payment"], sent=["process payment"],
    ),
    line("step_undone", 6, 12.7, step="process payment", attempt=1, took=2.0, sent=[]),
    line("cancelled", 7, 12.7, took=12.7, code="OUT_OF_STOCK", reason="SKU-9: 4 wanted; 3 there"),
]  # fmt: skip
