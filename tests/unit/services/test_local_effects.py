"""Declarations and behaviour of a service with local data."""

from typing import Any

import pytest
from msgspec.structs import replace

from order_sagas import (
    Answer,
    Declined,
    Entity,
    Failed,
    LocalEffect,
    LocalEffectService,
    Message,
    Notice,
    Participant,
    Remind,
    Step,
)
from order_sagas.actors.errors import DefinitionError


# fmt: off
class LendBook(Message): title: str = ""; days: int = 14  # noqa: E701, E702
class BookLent(Message): title: str = ""; shelf: int = 0  # noqa: E701, E702
class BookNotLent(Failed): ...
class BringBack(Message): ...
class BroughtBack(Message): ...
class RenewLoan(Message): ...
class LoanRenewed(Message): ...
class Loan(LocalEffect): table = "loans"; title: str = ""; shelf: int = 0  # noqa: E701, E702
# fmt: on


class Lending(LocalEffectService):
    """A base without a participant."""

    entity = Loan
    do, done, failed = LendBook, BookLent, BookNotLent
    undo, undone = BringBack, BroughtBack


class Library(Lending):
    """Lends what it has, and renews loans."""

    participant = Participant("library", topic="library-events")

    def make(self, command: LendBook) -> Loan | Declined:
        """Refuse one title."""
        if command.title == "atlas":
            return Declined("reference_only", "it stays here")
        return Loan(order_id=command.order_id, title=command.title, shelf=7)

    def renew(self, known: Loan, command: RenewLoan, now: float) -> Answer:
        """Set a status of its own."""
        renewed = replace(known, status="RENEWED")
        return Answer((renewed,), (LoanRenewed(order_id=command.order_id),))

    handlers = {RenewLoan: renew}


class Plain(Lending):
    """Stores what it is told."""

    participant = Participant("plain", topic="plain-events")


class Branch(Library):
    """Keeps the shelf when a book comes back."""

    participant = Participant("branch", topic="branch-events")

    def take_back(self, known: Loan, command: BringBack) -> Loan:
        """Free the title alone."""
        return replace(known, title="")


def handled(service: type[LocalEffectService], *messages: Message) -> tuple[Any, list[Message]]:
    """The entity and the replies after these messages."""
    known: Any = None
    replies: list[Message] = []
    actor = service()
    for message in messages:
        answer = service.handlers[type(message)](actor, known, message, 1.0)
        (known,) = answer.writes
        replies += answer.replies
    return known, replies


LEND = LendBook(order_id="L-1", title="novel")
LENT = BookLent(order_id="L-1", title="novel", shelf=7)
BACK = BringBack(order_id="L-1")


def test_a_command_stores_the_entity_and_is_answered_from_it() -> None:
    """A repeated one gets the same reply, also with other content."""
    known, replies = handled(Library, LEND, replace(LEND, title="other"))

    assert Loan(order_id="L-1", status="DONE", title="novel", shelf=7) == known
    assert [LENT, LENT] == replies


def test_without_make_it_stores_the_fields_of_the_command() -> None:
    """Those of the same names."""
    known, replies = handled(Plain, LEND)

    assert Loan(order_id="L-1", title="novel") == known
    assert [BookLent(order_id="L-1", title="novel")] == replies


def test_a_refusal_is_stored() -> None:
    """Nothing is undone after it."""
    atlas = LendBook(order_id="L-1", title="atlas")
    refused = BookNotLent(order_id="L-1", code="reference_only", reason="it stays here")
    known, replies = handled(Library, atlas, atlas, BACK)

    assert [refused, refused, BroughtBack(order_id="L-1")] == replies
    assert "FAILED" == known.status


def test_an_undo_takes_effect_once() -> None:
    """A command that comes later is refused."""
    known, replies = handled(Library, LEND, BACK, BACK, LEND)

    back = BroughtBack(order_id="L-1")
    refused = BookNotLent(order_id="L-1", code="undone", reason="undone")
    assert [LENT, back, back, refused] == replies
    assert Loan(order_id="L-1", status="UNDONE", code="undone", reason="undone") == known


def test_an_undo_that_overtakes_its_command_blocks_it() -> None:
    """By the stored entity."""
    known, replies = handled(Library, BACK, LEND)

    assert ("BLOCKED", "") == (known.status, known.title)
    assert ["BroughtBack", "BookNotLent"] == [type(reply).__name__ for reply in replies]


def test_a_status_of_its_own_counts_as_done() -> None:
    """A repeated command is answered, and it can be undone."""
    known, replies = handled(Library, LEND, RenewLoan(order_id="L-1"), LEND)
    assert "RENEWED" == known.status
    assert [LENT, LoanRenewed(order_id="L-1"), LENT] == replies

    known, _ = handled(Library, LEND, RenewLoan(order_id="L-1"), BACK)
    assert "UNDONE" == known.status


def test_a_subclass_may_override_take_back() -> None:
    """Those of its base class."""
    known, _ = handled(Branch, LEND, RenewLoan(order_id="L-1"), BACK)

    assert ("UNDONE", "", 7) == (known.status, known.title, known.shelf)


class Needy(LocalEffect, kw_only=True):
    """Has a field without a default."""

    table = "needy"

    title: str


GIVEN: dict[str, Any] = {
    "participant": Participant("desk", topic="desk-events"),
    "entity": Loan,
    "do": LendBook,
    "done": BookLent,
}


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"done": None}, "needs `done`"),
        ({"entity": Entity}, "must be a `LocalEffect`, not the class Entity"),
        ({"entity": Needy}, "field 'title' of its entity needs a default"),
        ({"undo": BringBack}, "needs `undo` and `undone`, or neither"),
        ({"undo": BringBack, "undone": BroughtBack}, "so it needs `failed`"),
    ],
)
def test_missing_declarations_are_reported_when_the_class_is_made(given: Any, problem: str) -> None:
    """With the name of the service."""
    parts = {name: value for name, value in {**GIVEN, **given}.items() if value}

    with pytest.raises(DefinitionError, match=f"service 'Desk': .*{problem}"):
        type("Desk", (LocalEffectService,), parts)


def test_a_refusal_without_a_reply_for_it_is_an_error() -> None:
    """The command becomes a dead letter."""
    parts = {**GIVEN, "make": lambda self, command: Declined("no", "never")}
    service = type("Desk", (LocalEffectService,), parts)

    with pytest.raises(TypeError, match="Desk declined a command, and has no `failed` reply"):
        handled(service, LEND)


def test_a_definition_takes_the_class_of_a_service_for_its_participant() -> None:
    """In a step, a notice and a reminder."""
    step: Step[Message] = Step("lend", to=Library, do=LendBook, pivot=True)

    assert Library.participant is step.to
    assert Library.participant is Notice[Message](Library, BookNotLent).to
    assert Library.participant is Remind[Message](5, Library, LendBook).to


@pytest.mark.parametrize("given", [Lending, "library", int])
def test_anything_but_a_participant_is_refused(given: Any) -> None:
    """A class without one, or anything else."""
    with pytest.raises(DefinitionError, match="is no participant: `to` must be a Participant, or"):
        Step("lend", to=given, do=LendBook, pivot=True)
