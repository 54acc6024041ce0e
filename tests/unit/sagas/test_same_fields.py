"""A message class in place of a function: the message has the start's fields of the same names."""

from typing import Any

import pytest

from order_sagas import (
    Child,
    Each,
    Failed,
    Message,
    Notice,
    Participant,
    Remind,
    Saga,
    Step,
    Wait,
    minutes,
)
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.child_messages import UndoChild
from tests.support.turns import Turns


# fmt: off
class RoomWanted(Message): guests: int = 1; town: str = ""; code: str = "start"  # noqa: E701, E702
class KeepRoom(Message): guests: int = 0; nights: int = 2  # noqa: E701, E702
class RoomKept(Message): ...
class RoomRefused(Failed): ...
class FreeRoom(Message): ...
class RoomFreed(Message): ...
class AskRoom(Message): town: str = ""  # noqa: E701
class RoomPaid(Message): ...
class RoomDropped(Failed): town: str = ""  # noqa: E701
class RoomClosed(Message): code: str = ""  # noqa: E701
class CountGuests(Message): guests: str = ""  # noqa: E701
class NeedsKey(Message): key: str  # noqa: E701

HOTEL = Participant("hotel", topic="hotel-events")
KEEP: Step[RoomWanted] = Step(
    "keep room", to=HOTEL, do=KeepRoom, done=RoomKept, failed=RoomRefused, within=minutes(1),
    ask=AskRoom, undo=FreeRoom, undone=RoomFreed)
# fmt: on
START = RoomWanted(order_id="R-1", guests=3, town="Ulm", event_id="e", traceparent="t")


def a_saga(*steps: Any, **fields: Any) -> Saga[RoomWanted]:
    """A saga of these steps."""
    return Saga("keep-room", 1, RoomWanted, [*steps], **fields)


def sent(turns: Turns) -> Message:
    """The newest message, without what says how it travels."""
    message = turns.sends[-1].message
    fields = {name: getattr(message, name) for name in message.__struct_fields__}
    return type(message)(**{k: v for k, v in fields.items() if k not in Message.__struct_fields__},
                         order_id=message.order_id)  # fmt: skip


def test_a_command_has_the_fields_of_the_same_names() -> None:
    """Others keep their defaults, and so do those that say how a message travels."""
    turns = Turns(a_saga(KEEP), START)

    assert KeepRoom(order_id="R-1", guests=3, nights=2) == sent(turns)
    assert KEEP.do
    assert KeepRoom(order_id="R-1", guests=3) == KEEP.do(START)


def test_a_question_and_a_compensation_can_be_classes_too() -> None:
    """And a notice, which has the code and the reason of the failure if it is a `Failed`."""
    notices: list[Notice[RoomWanted]]
    notices = [Notice(HOTEL, RoomDropped), Notice(HOTEL, RoomClosed)]
    turns = Turns(a_saga(KEEP, cancelled=notices), START)
    turns.time_out()
    assert AskRoom(order_id="R-1", town="Ulm") == sent(turns)
    turns.answer(RoomRefused, code="full", reason="no room is free")

    dropped, closed = (each.message for each in turns.sends[-2:])
    assert isinstance(dropped, RoomDropped)
    assert isinstance(closed, RoomClosed)
    assert ("full", "no room is free", "Ulm") == (dropped.code, dropped.reason, dropped.town)
    assert "start" == closed.code


def test_a_step_that_fails_later_undoes_it_by_class() -> None:
    """With the order id alone, since nothing else is asked for."""
    late = Step[RoomWanted]("ask", to=HOTEL, do=AskRoom, done=RoomClosed, failed=RoomRefused,
                            within=9, needs_no_undo=True)  # fmt: skip
    turns = Turns(a_saga(KEEP, late), START)
    turns.answer(RoomKept)
    turns.answer(RoomRefused, step="ask")

    assert FreeRoom(order_id="R-1") == sent(turns)


def test_a_child_and_a_reminder_can_be_classes() -> None:
    """The undo of the child is made from the same message as its start."""
    child: Child[RoomWanted] = Child("room", saga=a_saga(KEEP), start=RoomWanted)
    assert child.do
    assert child.undo

    assert RoomWanted(order_id="R-1", guests=3, town="Ulm") == child.do(START)
    undo = child.undo(START)
    assert isinstance(undo, UndoChild)
    assert "keep-room/R-1" == undo.saga_id

    wait: Wait[RoomWanted] = Wait(
        "paid", for_=RoomPaid, within=90, remind=Remind(60, HOTEL, AskRoom)
    )
    turns = Turns(a_saga(wait), START)
    turns.time_out()
    assert AskRoom(order_id="R-1", town="Ulm") == sent(turns)


@pytest.mark.parametrize(
    ("field", "message", "problem"),
    [
        ("do", CountGuests, "`do` is the class CountGuests, whose field 'guests' has another type"),
        ("undo", NeedsKey, "`undo` is the class NeedsKey, whose field 'key' has no default"),
        ("ask", NeedsKey, "`ask` is the class NeedsKey, whose field 'key' has no default"),
    ],
)
def test_a_field_that_cannot_be_copied_is_refused(
    field: str, message: type[Message], problem: str
) -> None:
    """When the saga is built, with the field and what to do."""
    fields: dict[str, Any] = {"do": KeepRoom, "undo": FreeRoom, "ask": AskRoom, field: message}
    step: Step[RoomWanted] = Step("keep", to=HOTEL, done=RoomKept, within=60, **fields)

    with pytest.raises(DefinitionError, match=f"saga 'keep-room': step 'keep': {problem}") as told:
        a_saga(step)
    assert str(told.value).endswith("write a function")


def test_a_notice_and_a_reminder_are_checked_too() -> None:
    """As steps are."""
    wait: Wait[RoomWanted] = Wait(
        "paid", for_=RoomPaid, within=90, remind=Remind(60, HOTEL, NeedsKey)
    )

    with pytest.raises(DefinitionError, match="'hotel' is the class NeedsKey"):
        a_saga(KEEP, cancelled=[Notice(HOTEL, NeedsKey)])
    with pytest.raises(DefinitionError, match="`remind` is the class NeedsKey"):
        a_saga(wait)


def test_the_step_of_an_each_needs_functions() -> None:
    """Because a class would say nothing of the item."""
    with pytest.raises(DefinitionError, match="function of the start and the item, not the class"):
        Each("rooms", over=lambda start: range(start.guests), step=KEEP)
