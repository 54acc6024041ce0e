"""Charges and refunds are made once, with repeated, late and reordered messages."""

from typing import Any

import pytest

from order_sagas.actors.entities import Payment
from order_sagas.actors.messages import (
    Message,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    ProcessPayment,
    RollbackPayment,
)
from order_sagas.actors.services.payment_gateway import (
    After,
    Approved,
    Charge,
    Declined,
    NoAnswer,
    Outcome,
    Refund,
)
from order_sagas.actors.services.payments import (
    PaymentOwed,
    PaymentService,
    PaymentSettled,
)
from order_sagas.actors.services.service import Answer, UseClient
from order_sagas.actors.services.simulated_gateway import Silence, SimulatedGateway

NOW = 1000.0


class Provider:
    """A local or external provider with given answers, which records its requests."""

    def __init__(self, *outcomes: Outcome, local: bool = False) -> None:
        self.local = local
        self.outcomes = list(outcomes)
        self.asked: list[Any] = []

    def charge(self, charge: Charge) -> Outcome:
        self.asked.append(charge)
        return self.outcomes.pop(0) if self.outcomes else Approved("ch_1")

    def refund(self, refund: Refund) -> Outcome:
        return self.charge(refund)  # type: ignore[arg-type]


class Desk:
    """A payment service, with the payment it keeps."""

    def __init__(self, gateway: Any = None) -> None:
        self.service = PaymentService()
        self.service.receive_other(UseClient(gateway or SimulatedGateway()), None)
        self.payment: Payment | None = None

    def deliver(self, message: Message) -> Answer:
        answer = self.service.handlers[type(message)](self.service, self.payment, message, NOW)
        if answer.writes:
            self.payment = answer.writes[0]  # type: ignore[assignment]
        return answer

    def settle(self, answer: Answer, error: BaseException | None = None) -> Answer:
        """Make the only call of an answer, and return its outcome to the service."""
        (call,) = answer.calls
        return self.deliver(call.then(None, error) if error else call.then(call.make(), None))

    @property
    def state(self) -> tuple[str, int, int]:
        assert self.payment
        return self.payment.status, self.payment.charges, self.payment.refunds


def charge(attempt: int = 1, amount: int = 500) -> ProcessPayment:
    return ProcessPayment(
        order_id="o", event_id=f"o/pay/{attempt}", step="pay", attempt=attempt, amount=amount
    )


def refund(attempt: int = 1) -> RollbackPayment:
    return RollbackPayment(
        order_id="o", event_id=f"o/pay:undo/{attempt}", step="pay", attempt=attempt
    )


def kinds(answer: Answer) -> list[type[Message]]:
    return [type(reply) for reply in answer.replies]


def test_a_duplicate_command_gets_the_first_answer_and_charges_nothing() -> None:
    """The business key is what counts, not the attempt."""
    desk = Desk()
    first = desk.deliver(charge())

    again = desk.deliver(charge(2))

    assert [PaymentCompleted] == kinds(first)
    assert first.replies == again.replies
    assert (Payment.COMPLETED, 1, 0) == desk.state


def test_a_declined_payment_stays_declined() -> None:
    """A repeated command is not sent to the provider."""
    desk = Desk(SimulatedGateway(decline_above=100))
    first = desk.deliver(charge())

    again = desk.deliver(charge(2))

    assert [PaymentFailed] == kinds(first)
    assert first.replies == again.replies
    assert (Payment.FAILED, 0, 0) == desk.state


def test_a_refund_happens_once_and_is_answered_each_time() -> None:
    """A retried undo gets the same answer."""
    desk = Desk()
    desk.deliver(charge())

    answers = [desk.deliver(refund(n)) for n in (1, 2, 3)]

    assert [[PaymentRolledBack]] * 3 == [kinds(answer) for answer in answers]
    assert {500} == {answer.replies[0].amount for answer in answers}  # type: ignore[attr-defined]
    assert (Payment.REFUNDED, 1, 1) == desk.state


def test_a_refund_that_overtakes_its_charge_blocks_it() -> None:
    """The tombstone: the charge that comes later is refused."""
    desk = Desk()
    undone = desk.deliver(refund())

    late = desk.deliver(charge())

    assert [PaymentRolledBack] == kinds(undone)
    assert [PaymentFailed] == kinds(late)
    assert (Payment.BLOCKED, 0, 0) == desk.state


def test_a_charge_after_its_refund_is_refused() -> None:
    """A late duplicate of the command must not charge again."""
    desk = Desk()
    desk.deliver(charge())
    desk.deliver(refund())

    assert [PaymentFailed] == kinds(desk.deliver(charge(2)))
    assert (Payment.REFUNDED, 1, 1) == desk.state


def test_a_payment_of_0_is_valid() -> None:
    """An order with an amount of 0 is valid."""
    desk = Desk()

    assert [PaymentCompleted] == kinds(desk.deliver(charge(amount=0)))


def test_an_external_provider_is_called_after_the_commit() -> None:
    """The batch stores PENDING and answers nothing; the outcome brings the answer."""
    desk = Desk(provider := Provider(Approved("ch_7")))
    asked = desk.deliver(charge())
    pending = desk.state

    answer = desk.settle(asked)

    assert ([], (Payment.PENDING, 0, 0)) == (kinds(asked), pending)
    assert ["o"] == [each.key for each in provider.asked]
    assert (Payment.COMPLETED, 1, 0) == desk.state
    (reply,) = answer.replies
    assert ("o/pay/1", "pay", 1) == (reply.causation_id, reply.step, reply.attempt)


def test_two_outcomes_of_one_charge_count_once() -> None:
    """The provider was asked twice with one key: it charged once."""
    desk = Desk(Provider())
    first, second = desk.deliver(charge(1)), desk.deliver(charge(2))
    desk.settle(first)

    assert [] == kinds(desk.settle(second))
    assert (Payment.COMPLETED, 1, 0) == desk.state


def test_an_outcome_answers_the_newest_command() -> None:
    """The saga waits for the attempt it made last."""
    desk = Desk(Provider())
    first = desk.deliver(charge(1))
    desk.deliver(charge(2))

    (reply,) = desk.settle(first).replies

    assert 2 == reply.attempt


def test_an_exception_of_the_provider_is_no_answer() -> None:
    """Whether the money moved is unknown, so the payment stays pending."""
    desk = Desk(Provider())

    answer = desk.settle(desk.deliver(charge()), ConnectionError("away"))

    assert [] == kinds(answer)
    assert (Payment.PENDING, 0, 0) == desk.state


@pytest.mark.parametrize(
    ("outcome", "state"),
    [
        (Approved("ch_1"), (Payment.REFUNDED, 1, 1)),
        (Declined("no", "no money"), (Payment.FAILED, 0, 0)),
    ],
)
def test_a_refund_while_the_charge_is_under_way_waits_for_its_outcome(outcome, state) -> None:
    """Then it refunds what was charged, or has nothing to refund; either way the undo is done."""
    desk = Desk(Provider(outcome))
    asked = desk.deliver(charge())
    waiting = desk.deliver(refund())

    answer = desk.settle(asked)
    if answer.calls:
        answer = desk.settle(answer)

    assert ([], ()) == (kinds(waiting), waiting.calls)
    assert [PaymentRolledBack] == kinds(answer)
    assert "o/pay:undo/1" == answer.replies[0].causation_id
    assert state == desk.state


def test_a_charge_command_during_a_refund_gets_no_reply() -> None:
    """The saga is compensating, and only waits for the reply to its undo."""
    desk = Desk(Provider())
    desk.settle(desk.deliver(charge()))
    desk.deliver(refund())

    late = desk.deliver(charge(3))

    assert ([], ()) == (kinds(late), late.calls)


def test_a_refund_asked_for_twice_counts_once() -> None:
    """Two calls with one key, two outcomes, one refund."""
    desk = Desk(provider := Provider())
    desk.settle(desk.deliver(charge()))
    first, second = desk.deliver(refund(1)), desk.deliver(refund(2))
    desk.settle(first)

    assert [] == kinds(desk.settle(second))
    assert ["o", "o-refund", "o-refund"] == [each.key for each in provider.asked]
    assert (Payment.REFUNDED, 1, 1) == desk.state


def test_a_slow_provider_answers_later() -> None:
    """Its answer arrives as a message; meanwhile the payment is pending."""
    desk = Desk(Provider(After(5.0, Approved("ch_1")), local=True))
    asked = desk.deliver(charge())
    ((seconds, outcome),) = asked.later

    answer = desk.deliver(outcome)

    assert (5.0, []) == (seconds, kinds(asked))
    assert [PaymentCompleted] == kinds(answer)
    assert (Payment.COMPLETED, 1, 0) == desk.state


def test_a_silent_provider_leaves_no_stored_payment() -> None:
    """Nothing is stored, so an undo blocks the payment."""
    desk = Desk(SimulatedGateway(silence=Silence(rate=1.0, attempts=9)))
    silent = desk.deliver(charge())

    undone = desk.deliver(refund())

    assert ((), ()) == (silent.writes, silent.replies)
    assert [PaymentRolledBack] == kinds(undone)
    assert (Payment.BLOCKED, 0, 0) == desk.state


@pytest.mark.parametrize("asked_before", [1, 2], ids=["charge owed", "refund owed"])
def test_a_restart_repeats_unanswered_calls(asked_before) -> None:
    """With the same idempotency key; the newest command gets the reply."""
    desk = Desk(provider := Provider())
    desk.deliver(charge())
    if asked_before == 2:
        desk.deliver(refund())
    answer = desk.settle(desk.deliver(PaymentOwed(order_id="o")))
    if asked_before == 2:
        answer = desk.settle(answer)

    assert [PaymentCompleted if asked_before == 1 else PaymentRolledBack] == kinds(answer)
    assert "o" == provider.asked[0].key


def test_an_undo_reaches_a_provider_that_is_silent_only_at_first() -> None:
    """Calls for the lost outcome of a charge count as its attempts."""
    desk = Desk(Provider(After(5.0, Approved("ch_1")), local=True))
    desk.deliver(charge(3))
    gateway = SimulatedGateway(silence=Silence(rate=1.0, attempts=2))
    desk.service.receive_other(UseClient(gateway), None)

    answers = [desk.deliver(refund(n)) for n in (1, 2, 3)]

    assert [[], [], [PaymentRolledBack]] == [kinds(answer) for answer in answers]
    assert (Payment.REFUNDED, 1, 1) == desk.state


@pytest.mark.parametrize("message", [PaymentOwed(order_id="o"), PaymentSettled(order_id="o")])
def test_an_outcome_without_a_pending_payment_changes_nothing(message) -> None:
    """Late outcomes of settled payments, or of unknown ones."""
    assert Answer() == Desk().deliver(message)


def test_a_known_charge_without_an_answer_stays_pending() -> None:
    """The newest command is stored, and a restart answers it."""
    desk = Desk(Provider(After(5.0, Approved("ch_1")), NoAnswer(), local=True))
    desk.deliver(charge(1))
    desk.deliver(charge(2))

    assert desk.payment
    assert '"attempt":2' in desk.payment.command
    assert (Payment.PENDING, 0, 0) == desk.state
