"""Response bodies of the API, in camelCase. The OpenAPI schemas are generated from them.

Times are ISO 8601 in UTC. Amounts are whole minor units of the order's currency; `amountText` is
the same amount formatted by `order_sagas.actors.money`.
"""

from typing import Annotated, Any

import msgspec

from order_sagas.actors.clock import iso
from order_sagas.actors.frozen_struct import FrozenStruct

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
        description="The amount formatted for display, such as `EUR 3.00`, or `300 minor units "
        "of ABC` if ISO 4217 does not list the currency."
    ),
]


class View(FrozenStruct, kw_only=True, rename="camel"):
    """Base class of response bodies and their parts."""


class Receipt(View):
    """Confirms that the order is stored, by this request or an earlier one."""

    order_id: str
    status: str = "ORDER_CREATED"


class SagaReceipt(View):
    """Confirms that the start of a saga is stored, by this request or an earlier one."""

    saga_id: str
    saga: str
    order_id: str


class OrderLineView(View):
    """Quantity and unit price of one SKU in an order."""

    sku: str
    quantity: int
    unit_price: MinorUnits = 0


class OrderSummary(View):
    """An order in a list. SUBMITTED: waiting in the log. CREATED: its saga is running."""

    order_id: str
    status: str
    customer_id: str | None = None
    amount: MinorUnits | None = None
    amount_text: AmountText | None = None
    currency: str | None = None
    code: str | None = None
    """Machine-readable reason of the cancellation."""
    reason: str | None = None
    """Human-readable reason of the cancellation."""
    created_at: str | None = None
    updated_at: str | None = None
    saga_status: str | None = None
    step: str | None = None
    """The step that its saga waits for."""


class OrderPage(View):
    """Orders, newest first. `next` is the `after` of the next page, null on the last page.

    A search looks at a part of the history: it may find nothing and have a `next` nevertheless.
    """

    orders: list[OrderSummary]
    next: str | None = None
    searched_back_to: str | None = None
    """The time of the oldest order that a search has looked at."""


class SagaSummary(View):
    """A saga in a list, with the step it waits for and the deadline of that step."""

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
    paused: str | None
    """In a snapshot: the paused service that the saga waits for."""
    cause: str | None
    """In lists and snapshots: why its step is stuck, as in a group of stuck sagas."""


class ListedSaga(SagaSummary):
    """A saga in a list, with what is known of its order; null for a saga without an order."""

    customer_id: str | None
    amount: MinorUnits | None
    amount_text: AmountText | None
    currency: str | None


class SagaPage(View):
    """Sagas, newest first. `next` is the `after` of the next page, null on the last page.

    A search looks at a part of the history: it may find nothing and have a `next` nevertheless.
    """

    sagas: list[ListedSaga]
    next: str | None = None
    searched_back_to: str | None = None
    """The start of the oldest saga that a search has looked at."""


class StepView(View):
    """One step of a saga: its phase, and the attempt number of its command or compensation."""

    step: str
    phase: str
    attempt: int
    since: str | None
    deadline: str | None


class HistoryEntry(View):
    """One entry of a saga's history."""

    at: str
    event: str
    step: str
    attempt: int
    cause: str
    """Id of the event that caused it, or `timer:<step>:<attempt>`."""
    note: str
    times: int = 1
    """How often an ignored message arrived; the other fields describe the first arrival."""
    last: str | None = None
    """Time of the last arrival, if there was more than one."""
    offset: float = 0.0
    """Seconds since the start of the saga, to the microsecond."""


class SagaView(SagaSummary):
    """A saga with its steps and history."""

    steps: list[StepView]
    history: list[HistoryEntry]
    timeline: Any = None
    """Timeline as printed by `order-sagas trace`; null if the log files have no such order."""
    timeline_problem: str = ""
    """Why the timeline is missing, although the log files may have it."""


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
    """The stock reservation of an order in one warehouse."""

    status: str
    warehouse: str
    lines: list[OrderLineView]
    code: str
    reason: str
    updated_at: str | None


class NotificationView(View):
    """The notification of the customer about an order."""

    status: str
    about: str
    channel: str
    sends: int
    attempts: int
    updated_at: str | None


class OrderView(OrderSummary):
    """An order with its payment, reservation, notification and sagas."""

    warehouse: str | None = None
    lines: list[OrderLineView] = []
    payment: PaymentView | None = None
    reservation: ReservationView | None = None
    notification: NotificationView | None = None
    sagas: list[SagaView] = []


class StockLevelView(View):
    """Stock of one SKU in one warehouse: loaded = onHand + held + sold."""

    sku: str
    warehouse: str
    on_hand: int
    held: int
    sold: int
    loaded: int


class StockView(View):
    """Stock levels of every SKU in every warehouse."""

    stock: list[StockLevelView]


class DeadLetterView(View):
    """A dead letter. `action` is `replayed`, `discarded`, or empty while it is open.

    If it is `truncated`, key, value and headers are shown in part, as large ones are in lists.
    """

    number: int
    topic: str
    partition: int
    offset: int
    time: str
    error: str
    key: str | None
    value: str | None
    headers: dict[str, str]
    truncated: bool = False
    action: str = ""
    by: str = ""
    why: str = ""
    at: str = ""


class DeadLetterPage(View):
    """Dead letters, oldest first. `next` is the `after` of the next page, null on the last page."""

    dead_letters: list[DeadLetterView]
    next: str | None = None


class ActionReceipt(View):
    """Confirms that an operator's command is in the log. `workers`: number of running workers.

    If it is `pending`, it is sent when a second person has approved it.
    """

    action: str
    """Name of the action, or of the signal that was sent."""
    by: str
    workers: int
    request: str | None = None
    """Id of the request in the log of operators' actions."""
    pending: bool = False
    saga_id: str | None = None
    dead_letter: int | None = None
    service: str | None = None


class BulkActionResult(View):
    """Result of a bulk action, or of its dry run. Oldest first."""

    action: str
    by: str
    dry_run: bool
    count: int
    """Number of sagas or dead letters that the action applies to."""
    more: bool
    """True if others match the filter but exceed the limit."""
    refused: dict[str, int]
    """Number of matches that the action does not apply to, by reason."""
    workers: int | None
    """Number of running workers; null for a dry run."""
    request: str | None = None
    """Id of the request in the log of operators' actions; its progress has the results."""
    pending: int = 0
    """How many were not sent, because a second person has to approve them."""
    saga_ids: list[str] | None = None
    dead_letters: list[int] | None = None
    """Numbers of the dead letters."""


class SagaGroup(View):
    """Sagas that need attention: stuck in the same step for the same cause.

    `saga`, `step`, `code` and `cause` are a filter for an action on all of them.
    """

    saga: str
    step: str
    code: str
    """Failure code for which they are compensated; empty if they are stuck on the way forward."""
    cause: str
    """Why the step is stuck, without quoted texts and numbers: `no answer`, or the answer.

    For a payment, the answer of the provider to the last call.
    """
    count: int
    since: str
    """When the first of them got stuck."""
    oldest: str
    """Start of the oldest of them."""


class SagaGroups(View):
    """Groups of the sagas that need attention; first the group that has been stuck longest.

    `more`: there are more sagas; only the 5,000 oldest are in groups.
    """

    groups: list[SagaGroup]
    more: bool


class CallerView(View):
    """The name of the caller, and what the caller may do."""

    name: str
    may_submit: bool
    may_read: bool
    may_act: bool
    needs_token: bool
    """False if no tokens are set, so that everybody has the same name."""


class HealthCheck(View):
    """Result of one readiness check."""

    ok: bool
    detail: str = ""


class Readiness(View):
    """Readiness, and the checks it depends on."""

    ready: bool
    checks: dict[str, HealthCheck]


class Liveness(View):
    """Liveness: the process answers requests."""

    alive: bool = True


class PauseView(View):
    """A paused service, or the paused intake. `kept` is the number of its deferred messages."""

    name: str
    by: str
    why: str
    since: str
    kept: int


class Snapshot(View):
    """State of the whole system at one moment."""

    at: str
    orders_saga: str
    """The definition of the sagas that orders start; empty if the app takes no orders."""
    orders: dict[str, int]
    """Number of orders, by status."""
    sagas: dict[str, int]
    """Number of sagas, by status."""
    steps: dict[str, int]
    """Number of sagas in flight, by the step they wait for. Steps of current definitions first."""
    needs_attention: list[SagaSummary]
    """The newest sagas that need attention."""
    groups: list[SagaGroup]
    """Groups of the 5,000 oldest sagas that need attention."""
    in_flight: int
    overdue: int
    """Sagas in flight whose deadline has passed, apart from those in `pausedOverdue`."""
    paused_overdue: int
    """Sagas whose deadline has passed during the pause of the service that they wait for.

    They time out only after the pause.
    """
    oldest_deadline: str | None
    oldest_deadlines: list[SagaSummary]
    """Sagas in flight with the earliest deadlines, overdue ones included."""
    paused: list[PauseView]
    """Current pauses, the longest first."""


def moment(at: float | None) -> str | None:
    """Return epoch seconds as ISO 8601 in UTC, or None for None and 0."""
    return iso(at) if at else None
