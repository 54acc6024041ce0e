"""What clients see: the bodies of answers, in camelCase. The OpenAPI description is made of them.

Times are ISO 8601 in UTC. Amounts are whole minor units of the order's currency; `amountText` says
the same for people, by the rule of `actors.money`.
"""

from typing import Annotated, Any

import msgspec

from actors.clock import iso

MinorUnits = Annotated[
    int,
    msgspec.Meta(
        description="Whole minor units of the order's currency, by ISO 4217: 300 is 3.00 in EUR, "
        "300 in JPY, 0.300 in KWD."
    ),
]
AmountText = Annotated[
    str,
    msgspec.Meta(
        description="The same amount for people, such as `EUR 3.00`; `300 minor units of ABC` "
        "where ISO 4217 does not know the currency."
    ),
]


class View(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A body, or a part of one."""


class Receipt(View):
    """An order that is stored, now or before."""

    order_id: str
    status: str = "ORDER_CREATED"


class OrderLineView(View):
    """So many of one SKU."""

    sku: str
    quantity: int
    unit_price: MinorUnits = 0


class OrderSummary(View):
    """An order in a list. SUBMITTED waits in the log; CREATED is under way."""

    order_id: str
    status: str
    customer_id: str | None = None
    amount: MinorUnits | None = None
    amount_text: AmountText | None = None
    currency: str | None = None
    code: str | None = None
    """Why it was cancelled, for programs."""
    reason: str | None = None
    """The same for people."""
    created_at: str | None = None
    updated_at: str | None = None
    saga_status: str | None = None
    step: str | None = None
    """What its saga waits for."""


class OrderPage(View):
    """Orders, the newest first; `next` is the `after` of the next page, null on the last."""

    orders: list[OrderSummary]
    next: str | None = None


class SagaSummary(View):
    """A saga in a list, with the step that it waits for and until when."""

    saga_id: str
    order_id: str
    saga: str
    version: int
    status: str
    step: str
    deadline: str | None
    code: str
    reason: str
    started_at: str
    ended_at: str | None


class SagaPage(View):
    """Sagas, the newest first; `next` is the `after` of the next page, null on the last."""

    sagas: list[SagaSummary]
    next: str | None = None


class StepView(View):
    """One step of a saga: its phase, and the attempt of its command or its compensation."""

    step: str
    phase: str
    attempt: int
    since: str | None
    deadline: str | None


class HistoryEntry(View):
    """What happened to a saga."""

    at: str
    event: str
    step: str
    attempt: int
    cause: str
    """The id of the event that brought it about, or `timer:<step>:<attempt>`."""
    note: str
    times: int = 1
    """How often an ignored message came; the other fields are those of the first."""
    last: str | None = None
    """When it came last, if it came more than once."""


class SagaView(SagaSummary):
    """A saga whole."""

    steps: list[StepView]
    history: list[HistoryEntry]
    timeline: Any = None
    """Its life as `order-sagas trace` tells it; null if the log files do not know of it."""


class PaymentView(View):
    """The payment of an order."""

    status: str
    amount: MinorUnits
    amount_text: AmountText
    currency: str
    charges: int
    refunds: int
    code: str
    reason: str
    updated_at: str | None


class ReservationView(View):
    """What an order holds of a warehouse."""

    status: str
    warehouse: str
    lines: list[OrderLineView]
    code: str
    reason: str
    updated_at: str | None


class NotificationView(View):
    """The message to the customer."""

    status: str
    about: str
    channel: str
    sends: int
    attempts: int
    updated_at: str | None


class OrderView(OrderSummary):
    """An order whole, with what each service knows of it."""

    warehouse: str | None = None
    lines: list[OrderLineView] = []
    payment: PaymentView | None = None
    reservation: ReservationView | None = None
    notification: NotificationView | None = None
    sagas: list[SagaView] = []


class StockLevelView(View):
    """A SKU in a warehouse: loaded = onHand + held + sold."""

    sku: str
    warehouse: str
    on_hand: int
    held: int
    sold: int
    loaded: int


class StockView(View):
    """Every SKU of every warehouse."""

    stock: list[StockLevelView]


class LetterView(View):
    """A record that nobody could handle. `action` is `replayed`, `discarded` or empty."""

    number: int
    topic: str
    partition: int
    offset: int
    time: str
    error: str
    key: str | None
    value: str | None
    headers: dict[str, str]
    action: str = ""
    by: str = ""
    why: str = ""
    at: str = ""


class LetterPage(View):
    """Dead letters, the oldest first; `next` is the `after` of the next page, null on the last."""

    dead_letters: list[LetterView]
    next: str | None = None


class Asked(View):
    """What an operator asked for is in the log; `workers` is how many processes will see it."""

    asked: str
    by: str
    workers: int
    saga_id: str | None = None
    dead_letter: int | None = None
    service: str | None = None


class AskedOfMany(View):
    """What was asked of all that fit, or of a dry run: would be. The oldest come first."""

    asked: str
    by: str
    dry_run: bool
    count: int
    """How many do as they are told."""
    more: bool
    """Whether others fit that the limit leaves for the next request."""
    refused: dict[str, int]
    """Those that fit and are left alone: how many for which reason."""
    workers: int | None
    """How many processes will see it; null of a dry run."""
    saga_ids: list[str] | None = None
    dead_letters: list[int] | None = None
    """Their numbers."""


class HealthCheck(View):
    """One thing that readiness depends on."""

    ok: bool
    detail: str = ""


class Health(View):
    """`ready` as a whole, and what it is made of."""

    ready: bool
    checks: dict[str, HealthCheck]


class Alive(View):
    """The process answers."""

    alive: bool = True


class PauseView(View):
    """A service, or the intake, that rests; `kept` messages wait for it."""

    name: str
    by: str
    why: str
    since: str
    kept: int


class Snapshot(View):
    """How the system is at one moment."""

    at: str
    orders: dict[str, int]
    """How many there are in each status."""
    sagas: dict[str, int]
    """The same of sagas."""
    steps: dict[str, int]
    """Of the sagas in flight, how many wait for which step; the newest definitions' come first."""
    needs_attention: list[SagaSummary]
    """The newest of them."""
    in_flight: int
    overdue: int
    """Sagas in flight whose deadline has passed."""
    oldest_deadline: str | None
    oldest_deadlines: list[SagaSummary]
    """The sagas whose deadlines come first, or have passed the longest ago."""
    paused: list[PauseView]
    """What rests, the longest first."""


def moment(at: float | None) -> str | None:
    """Epoch seconds as ISO 8601; None for none."""
    return iso(at) if at else None
