"""Faults of an app's services: they decline with their failure reply, and overhear replies."""

from typing import ClassVar

import pytest

from order_sagas import Answer, Entity, Message, Participant, Saga, Service, Step, seconds
from order_sagas.actors.sagas.state import DONE
from order_sagas.system.harness import (
    CANCELLED,
    COMPLETED,
    Declines,
    Duplicate,
    Harness,
    LosesReplies,
    Silent,
    minutes,
)
from tests.support.rentals import APP
from tests.support.rentals.messages import CarReserved, RentalRequested, ReserveCar
from tests.support.rentals.services import Cars, Deposits

RENTAL = RentalRequested(order_id="R-1", car="van", days=1, deposit=100)


def test_a_service_declines_with_the_failure_reply_of_its_step() -> None:
    """The service is not called; earlier steps are undone."""
    with Harness(app=APP) as system:
        rental = system.start(RENTAL)
        system.service("deposits").declines()
        system.advance(minutes(1))

        system.expect(rental).to_be(CANCELLED).because("declined")
        system.expect(rental).having_sent("TAKE_DEPOSIT", "DEPOSIT_REFUSED", "RELEASE_CAR")
        assert system.books.of(Deposits.entity, rental) is None
        system.expect_no_violations()


def test_a_declined_command_is_declined_again_after_the_fault() -> None:
    """Like a service that stores its answers: a late duplicate has no effect."""
    late = Duplicate("TAKE_DEPOSIT", later=60.0)
    with Harness(app=APP, faults=[late, Declines("deposits", until=30.0)]) as system:
        rental = system.start(RENTAL)
        system.advance(minutes(5))

        system.expect(rental).to_be(CANCELLED)
        assert system.books.of(Deposits.entity, rental) is None


def test_a_handled_command_is_not_declined_when_repeated() -> None:
    """The reply was lost: the service answers the repetition as it did the first time."""
    with Harness(app=APP, faults=[LosesReplies("cars", until=5.0)]) as system:
        rental = system.start(RENTAL)
        system.advance(seconds(6))
        system.service("cars").declines()
        system.advance(seconds(20))
        saga = system.saga(rental)

    assert saga
    assert DONE == saga.steps[1].phase
    assert 2 == saga.steps[1].attempt


def test_a_service_without_a_failure_reply_cannot_decline() -> None:
    with (
        Harness(app=APP) as system,
        pytest.raises(
            LookupError, match=r"no step of 'desk' has a failure reply .* cars, deposits"
        ),
    ):
        system.service("desk").declines()


class Noted(Message):
    """The watcher knows the rental."""


class Note(Message):
    """Tell the watcher of a rental."""


class Seen(Entity):
    """What the watcher has heard of a rental."""

    table: ClassVar[str] = "seen_rentals"

    order_id: str
    heard: int = 0


class Watcher(Service):
    """Overhears the replies of the cars, on whose topic it gets its own commands."""

    participant = Participant("watcher", topic=Cars.participant.topic)
    entity = Seen

    def overhear(self, seen: Seen | None, reply: CarReserved, now: float) -> Answer:
        """Count a reply that is for the saga."""
        return Answer((Seen(order_id=reply.order_id, heard=(seen.heard if seen else 0) + 1),))

    def note(self, seen: Seen | None, command: Note, now: float) -> Answer:
        """Answer the saga."""
        seen = seen or Seen(order_id=command.order_id)
        return Answer((seen,), (Noted(order_id=command.order_id),))

    handlers = {CarReserved: overhear, Note: note}


WATCHED = Saga(
    "watched",
    version=1,
    starts_on=RentalRequested,
    steps=[
        Step(
            "reserve car", to=Cars.participant, within=seconds(10), done=CarReserved,
            do=lambda rental: ReserveCar(order_id=rental.order_id, car=rental.car),
            needs_no_undo=True,
        ),
        Step(
            "note", to=Watcher.participant, within=seconds(10), done=Noted, needs_no_undo=True,
            do=lambda rental: Note(order_id=rental.order_id),
        ),
    ],
)  # fmt: skip


def test_a_silent_service_still_overhears_the_replies_of_others() -> None:
    """It ignores the commands that are for it."""
    with Harness(sagas=[WATCHED], services=[Cars, Watcher]) as system:
        rental = system.start(RENTAL)
        silence = Silent("watcher")
        system.on(silence)
        system.advance(seconds(5))
        seen = system.books.of(Seen, rental)
        assert seen
        assert 1 == seen.heard

        system.off(silence)
        system.advance(seconds(20))
        system.expect(rental).to_be(COMPLETED).having_sent("NOTE", "NOTE")
