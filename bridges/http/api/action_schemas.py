"""Response bodies about operators' actions, and groups of sagas and letters that need them."""

from typing import Annotated, Literal

import msgspec

from order_sagas.bridges.http.api.schemas import View

Outcome = Literal["asked", "done", "refused", "pending", "rejected", "expired"]
RequestId = Annotated[str, msgspec.Meta(pattern=r"\A([0-9a-f]{32})?\Z")]
"""The id of a request, or ""."""


class OperatorActionView(View):
    """An action that an operator asked for on one target, and its outcome.

    `asked`: it is sent and not handled yet. `refused`: it was not carried out; `detail` says why.
    `pending`: it waits for the approval of a second person, `rejected` or `expired`: it got none.
    """

    number: int
    request: str
    """The same for all targets of one request."""
    at: str
    """When it was asked for, or handled if it was put into the topic by other means (`record`)."""
    by: str
    via: str
    """`page`, `api`, `command line` or `record`."""
    action: str
    kind: str
    """What the target is: `saga`, `dead-letter` or `service`."""
    target: str
    step: str
    why: str
    outcome: Outcome
    detail: str
    done_at: str | None
    approved_by: str
    """Who approved or rejected it."""
    status: str | None = None
    """The present status of the saga; null for other targets."""


class OperatorActionPage(View):
    """Actions, the newest first. `next` is the `after` of the next page, null on the last page."""

    actions: list[OperatorActionView]
    next: str | None = None


class RequestProgress(View):
    """The progress and the outcomes of a request, in numbers of actions."""

    request: str
    count: int
    outcomes: dict[str, int]
    """Number of actions, by outcome."""
    refused: dict[str, int]
    """Number of refused actions, by reason."""
    sagas: dict[str, int]
    """Number of actions done on sagas, by the present status of the saga."""


class ApprovalReceipt(View):
    """Confirms that actions were approved, or rejected. `workers`: number of running workers."""

    by: str
    numbers: list[int]
    workers: int


class DeadLetterGroup(View):
    """Open dead letters of one topic with the same kind of error.

    `topic` and `kind` are a filter for an action on all of them.
    """

    topic: str
    kind: str
    """The error without the parts that differ between records: quoted texts and numbers."""
    count: int
    oldest: str
    newest: str
    example: str
    """The error of the oldest."""


class DeadLetterGroups(View):
    """Groups of the open dead letters, the one with the oldest first. `more`: some are not read."""

    groups: list[DeadLetterGroup]
    more: bool


class RetryingGroupView(View):
    """Sagas that retry the same step, or its compensation, for the same cause."""

    saga: str
    step: str
    undo: bool
    """Whether the compensation of the step is retried."""
    cause: str
    count: int
    attempt: int
    """The highest attempt of them."""
    oldest: str
    """Start of the oldest of them."""
    next_at: str | None
    """The earliest next attempt, or deadline of the present one."""


class RetryingGroups(View):
    """Groups of sagas that retry a step, the one with the oldest saga first.

    `more`: not all sagas in flight were looked at, only those with the earliest deadlines.
    """

    groups: list[RetryingGroupView]
    more: bool
