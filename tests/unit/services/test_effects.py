"""Declarations and behaviour of a service with an external call."""

from typing import Any

import pytest

from examples.parcel_label import (
    BuyLabel,
    Carrier,
    Label,
    LabelBought,
    LabelRefused,
    LabelVoided,
    Pickup,
    VoidLabel,
)
from order_sagas import (
    Answer,
    Declined,
    EffectService,
    Message,
    NoAnswer,
    Participant,
    UseClient,
)
from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.messages import CALLBACK
from order_sagas.actors.services.call_outcomes import After
from order_sagas.bridges.processor.call_results import perform

GIVEN = {
    "participant": Participant("labels", topic="label-events"),
    "entity": Label,
    "do": BuyLabel,
    "done": LabelBought,
    "failed": LabelRefused,
    "perform": staticmethod(lambda client, command, key: client(key)),
}
UNDO = {
    "undo": VoidLabel,
    "undone": LabelVoided,
    "take_back": staticmethod(lambda client, command, done, key: client(key)),
}


def a_service(**given: Any) -> type[EffectService]:
    """A service class with these attributes."""
    return type("Labels", (EffectService,), given)


class Local:
    """A client that is called inside the batch, with given outcomes."""

    local = True

    def __init__(self, *outcomes: Any) -> None:
        self.outcomes = list(outcomes)

    def __call__(self, key: str) -> Any:
        """The next outcome."""
        return self.outcomes.pop(0)


class Desk:
    """A service, with the effect that it stores."""

    def __init__(self, client: Any) -> None:
        self.service = a_service(**GIVEN, **UNDO)()
        self.service.receive_other(UseClient(client), None)
        self.effect: Any = None

    def deliver(self, message: Message) -> Answer:
        """Handle a message, and store what it writes."""
        answer = self.service.handlers[type(message)](self.service, self.effect, message, 1000.0)
        if answer.writes:
            self.effect = answer.writes[0]
        return answer


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({k: v for k, v in GIVEN.items() if k != "do"}, "needs `do`"),
        ({k: v for k, v in GIVEN.items() if k != "perform"}, "needs `perform`"),
        (
            {**GIVEN, "entity": Pickup},
            "its entity must be an `Effect`: the class Pickup has no `pend",
        ),
        ({**GIVEN, "undo": VoidLabel}, "needs `undo` and `undone`, or neither of them"),
        (
            {**GIVEN, "undo": VoidLabel, "undone": LabelVoided},
            "can be undone .`undo`., so it needs `take_back`",
        ),
    ],
)
def test_what_is_missing_is_named_when_the_class_is_made(given, rule) -> None:
    with pytest.raises(DefinitionError, match=f"service 'Labels': {rule}"):
        a_service(**given)


def test_an_effect_without_undo_takes_no_undo() -> None:
    service = a_service(**GIVEN)

    assert BuyLabel in service.handlers
    assert VoidLabel not in service.handlers


def test_two_services_have_outcomes_of_their_own() -> None:
    """The class of an outcome says whom it is for."""
    one, other = a_service(**GIVEN), a_service(**GIVEN)

    assert one.settled_by is not other.settled_by
    assert one.reminder is not other.reminder


def test_a_local_client_is_called_in_the_batch() -> None:
    bought = LabelBought(order_id="o", label="L")
    desk = Desk(Local(bought, None))

    done = desk.deliver(BuyLabel(order_id="o"))
    undone = desk.deliver(VoidLabel(order_id="o"))

    assert ((bought,), ()) == (done.replies, done.calls)
    assert [LabelVoided] == [type(reply) for reply in undone.replies]
    assert ("UNDONE", 1, 1) == (desk.effect.status, desk.effect.made, desk.effect.undone)


def test_a_duplicate_gets_the_first_reply_and_makes_no_call() -> None:
    bought = LabelBought(order_id="o", label="L")
    desk = Desk(Local(bought))
    desk.deliver(BuyLabel(order_id="o", attempt=1))

    assert (bought,) == desk.deliver(BuyLabel(order_id="o", attempt=2)).replies


@pytest.mark.parametrize(
    ("outcome", "code", "reason"),
    [
        (Declined("too_late", "sent"), "too_late", "undo declined: too_late: sent"),
        (NoAnswer(), "outcome_unknown", "undo, outcome unknown: the provider gave no answer"),
    ],
)
def test_a_failed_undo_stays_pending(outcome, code, reason) -> None:
    """The saga's retry repeats it; meanwhile the effect has the cause."""
    desk = Desk(Local(LabelBought(order_id="o"), outcome, None))
    desk.deliver(BuyLabel(order_id="o"))
    refused = desk.deliver(VoidLabel(order_id="o", attempt=1))
    pending = (desk.effect.status, desk.effect.code, desk.effect.reason)

    again = desk.deliver(VoidLabel(order_id="o", attempt=2))

    assert ((), ("PENDING", code, reason)) == (refused.replies, pending)
    assert [LabelVoided] == [type(reply) for reply in again.replies]


def test_an_undo_that_is_answered_later_is_answered_once() -> None:
    desk = Desk(Local(LabelBought(order_id="o"), After(5.0, None)))
    desk.deliver(BuyLabel(order_id="o"))
    ((seconds, outcome),) = desk.deliver(VoidLabel(order_id="o")).later

    answers = [desk.deliver(outcome), desk.deliver(outcome)]

    assert (5.0, [1, 0]) == (seconds, [len(answer.replies) for answer in answers])
    assert ("UNDONE", 1) == (desk.effect.status, desk.effect.undone)


@pytest.mark.parametrize(
    ("returned", "error"),
    [
        (
            "L-1",
            "TypeError: Labels.perform returned str; it must return LabelBought, "
            "Declined or NoAnswer",
        ),
        (
            LabelBought(order_id="x"),
            "ValueError: Labels.perform replied about order 'x', not 'o'",
        ),
    ],
)
def test_an_invalid_result_is_an_unknown_outcome_with_its_error(returned, error) -> None:
    """The other system may have acted: the effect stays pending."""
    desk = Desk(lambda key: returned)
    (call,) = desk.deliver(BuyLabel(order_id="o")).calls
    result = perform(call)
    assert result.message
    desk.deliver(result.message)

    assert (CALLBACK, error) == (result.failure, result.error)
    assert ("PENDING", "outcome_unknown", f"do, outcome unknown: {error}") == (
        desk.effect.status, desk.effect.code, desk.effect.reason,
    )  # fmt: skip


def test_calls_carry_the_limits_of_their_service() -> None:
    service = Carrier()
    service.receive_other(UseClient(object()), None)

    (call,) = service.process(None, BuyLabel(order_id="o"), 0.0).calls

    assert (Carrier.limits, "carrier", "do", "o/do") == (call.limits, *call.id)
