"""Response bodies of one saga: its flow, what it waits for, its messages."""

from typing import Any

from order_sagas.bridges.http.api.definition_views import DefinitionView
from order_sagas.bridges.http.api.schemas import PauseView, SagaView, View


class SagaLink(View):
    """Another saga, as far as it is known: `status` is null if it has not begun."""

    saga_id: str
    order_id: str
    status: str | None = None
    step: str = ""
    """The step, of this saga, that runs it or waits for it."""


class SignalForm(View):
    """A signal that a step waits for, and the JSON Schema (draft 2020-12) of its body."""

    message: str
    """Its status, which is the last part of the path to post it to."""
    outcome: str
    """`done` if the saga goes on with it, `failed` if the step fails."""
    schema: dict[str, Any]


class LockView(View):
    """The lock of an exclusive saga: who has it, and who waits for it."""

    key: str
    holder: SagaLink | None = None
    waiting: list[SagaLink] = []
    """The first ones in the queue."""
    waiting_count: int = 0
    place: int = 0
    """Place of this saga in the queue, from 1; 0 if it has the lock or does not ask for it."""


class WaitView(View):
    """Something that a saga waits for."""

    step: str
    kind: str
    """`reply`, `retry` (a time after which it is sent again), `delay`, `signal`, `child`, `lock`,
    or `person` (the step is stuck)."""
    undo: bool
    """True if it is the compensation of the step that is under way."""
    service: str | None = None
    since: str | None = None
    deadline: str | None = None
    cause: str = ""
    """Why the step is stuck, as in a group of stuck sagas; empty if it is not."""
    pause: PauseView | None = None
    """The pause of the service, during which nothing is handled and no deadline passes."""
    child: SagaLink | None = None
    signals: list[SignalForm] = []


class MessageView(View):
    """A record of the log that belongs to a saga.

    For callers who may only read, card numbers and mail addresses in the body are replaced.
    """

    at: str
    topic: str
    partition: int
    offset: int
    event_id: str
    causation_id: str
    """Id of the message, or the timer, because of which it was sent."""
    status: str
    step: str
    attempt: int
    body: Any
    """Its value as JSON, or a text if it is none."""


class KeptMessage(View):
    """A message that is kept: it came before it could be used, or its service is paused."""

    at: str
    topic: str
    why: str
    """`early`, or the name of the pause."""
    status: str
    body: Any


class EarlyReply(View):
    """A reply or a signal that came before its saga had sent the step, and is kept."""

    at: str
    order_id: str
    topic: str
    status: str


class EarlyReplies(View):
    """The oldest early replies, and how many there are in all."""

    replies: list[EarlyReply]
    count: int


class LinkView(View):
    """A link to another system."""

    name: str
    url: str


class SagaDetailView(SagaView):
    """A saga with its definition, what it waits for, and its messages."""

    definition: DefinitionView | None = None
    """Null if its version is neither registered in this program nor stored in the database."""
    waits: list[WaitView] = []
    lock: LockView | None = None
    parent: SagaLink | None = None
    """The saga that runs this one and waits for its end."""
    children: list[SagaLink] = []
    kept: list[KeptMessage] = []
    """Oldest first."""
    messages: list[MessageView] | None = None
    """Oldest first; null if they were not asked for, or cannot be read."""
    messages_problem: str = ""
    """Why messages are missing."""
    links: list[LinkView] = []
