"""A small app with a saga that runs a child saga: a trip, and its insurance."""

# ruff: noqa: E701, E702 - short declarations are easier to read as a list
# fmt: off
from collections.abc import Sequence
from typing import Any

from order_sagas import Answer, Entity, Failed, Message, Participant, Saga, Service, Step
from order_sagas.actors.sagas import minutes
from order_sagas.actors.sagas.child import Child


class TripPlanned(Message): insurance: str = ""; refuse: str = ""
class BookTrip(Message): ...
class TripBooked(Message): ...
class UnbookTrip(Message): ...
class TripUnbooked(Message): ...
class ConfirmTrip(Message): refuse: str = ""
class TripConfirmed(Message): ...
class TripRefused(Failed): ...
class InsuranceWanted(Message): refuse: str = ""
class SignPolicy(Message): refuse: str = ""
class PolicySigned(Message): ...
class PolicyRefused(Failed): ...
class TearPolicy(Message): ...
class PolicyTorn(Message): ...
class FilePolicy(Message): refuse: str = ""
class PolicyFiled(Message): ...
class FilingRefused(Failed): ...
class ShredFile(Message): ...
class FileShredded(Message): ...


class Paper(Entity):
    """The stored state of something that is done and can be undone."""
    table = "papers"
    order_id: str; booked: str = ""; confirmed: str = ""; signed: str = ""; filed: str = ""
    done: int = 0; undone: int = 0
# fmt: on


def _done(field: str, reply: type[Message], failed: type[Failed] | None = None) -> Any:
    def handle(_: Any, known: Paper | None, do: Any, now: float) -> Answer:
        paper = known or Paper(order_id=do.order_id)
        state = getattr(paper, field)
        if not state:
            state = "refused" if getattr(do, "refuse", "") == field else "done"
            count = paper.done + (state == "done")
            paper = Paper(**{**_fields(paper), field: state, "done": count})
        if state != "done":
            if failed is None:
                return Answer((paper,))  # it was undone before it came
            return Answer((paper,), (failed(order_id=do.order_id, code="no", reason=field),))
        return Answer((paper,), (reply(order_id=do.order_id),))

    return handle


def _undone(field: str, reply: type[Message]) -> Any:
    def handle(_: Any, known: Paper | None, do: Any, now: float) -> Answer:
        paper = known or Paper(order_id=do.order_id)
        count = paper.undone + (getattr(paper, field) == "done")
        paper = Paper(**{**_fields(paper), field: "undone", "undone": count})
        return Answer((paper,), (reply(order_id=do.order_id),))

    return handle


def _fields(paper: Paper) -> dict[str, Any]:
    return {name: getattr(paper, name) for name in paper.__struct_fields__}


class TripDesk(Service):
    """Books and confirms trips."""

    participant, entity = Participant("trips", topic="trip-events"), Paper
    handlers = {
        BookTrip: _done("booked", TripBooked),
        UnbookTrip: _undone("booked", TripUnbooked),
        ConfirmTrip: _done("confirmed", TripConfirmed, TripRefused),
    }


class Insurer(Service):
    """Signs and files policies."""

    participant, entity = Participant("insurer", topic="insurer-events"), Paper
    handlers = {
        SignPolicy: _done("signed", PolicySigned, PolicyRefused),
        TearPolicy: _undone("signed", PolicyTorn),
        FilePolicy: _done("filed", PolicyFiled, FilingRefused),
        ShredFile: _undone("filed", FileShredded),
    }


TRIPS, INSURER = TripDesk.participant, Insurer.participant
SIGN: Step[InsuranceWanted] = Step(
    "sign", to=INSURER, within=minutes(1), done=PolicySigned, failed=PolicyRefused,
    do=lambda i: SignPolicy(order_id=i.order_id, refuse=i.refuse),
    undo=lambda i: TearPolicy(order_id=i.order_id), undone=PolicyTorn,
)  # fmt: skip
FILE: Step[InsuranceWanted] = Step(
    "file", to=INSURER, within=minutes(1), done=PolicyFiled, failed=FilingRefused,
    do=lambda i: FilePolicy(order_id=i.order_id, refuse=i.refuse),
    undo=lambda i: ShredFile(order_id=i.order_id), undone=FileShredded,
)  # fmt: skip
INSURE_TRIP = Saga("insure-trip", version=1, starts_on=InsuranceWanted, steps=[SIGN, FILE])
BOOK: Step[TripPlanned] = Step(
    "book", to=TRIPS, within=minutes(1), done=TripBooked,
    do=lambda t: BookTrip(order_id=t.order_id),
    undo=lambda t: UnbookTrip(order_id=t.order_id), undone=TripUnbooked,
)  # fmt: skip
CONFIRM: Step[TripPlanned] = Step(
    "confirm", to=TRIPS, within=minutes(1), done=TripConfirmed, failed=TripRefused, pivot=True,
    do=lambda t: ConfirmTrip(order_id=t.order_id, refuse=t.refuse),
)  # fmt: skip


def wanted(trip: TripPlanned) -> InsuranceWanted:
    """The start of the insurance, with the order id that the trip names."""
    return InsuranceWanted(order_id=trip.insurance, refuse=trip.refuse)


INSURE = Child("insure", saga=INSURE_TRIP, start=wanted)
BOOK_TRIP = Saga("book-trip", version=1, starts_on=TripPlanned, steps=[BOOK, INSURE, CONFIRM])
SAGAS: Sequence[Saga[Any]] = (BOOK_TRIP, INSURE_TRIP)
SERVICES: Sequence[type[Service]] = (TripDesk, Insurer)
