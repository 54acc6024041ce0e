"""The payment service: makes each charge and each refund once."""

from functools import partial
from typing import Any, ClassVar

import msgspec
import structlog
from msgspec.structs import replace
from thespian.actors import ActorAddress

from order_sagas.actors.entities import Entity, Payment
from order_sagas.actors.errors import error_text
from order_sagas.actors.messages import (
    DECLINED,
    EXCEPTION,
    NO_ANSWER,
    CallOutcome,
    Internal,
    Message,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    ProcessPayment,
    RollbackPayment,
)
from order_sagas.actors.participants import PAYMENTS
from order_sagas.actors.protocol import ExternalCall
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.services.payment_gateway import (
    After,
    Approved,
    Charge,
    Declined,
    NoAnswer,
    Outcome,
    PaymentGateway,
    Refund,
)
from order_sagas.actors.services.service import NOTHING, Answer, Handler, Service, reply_to
from order_sagas.actors.services.simulated_gateway import SimulatedGateway

Command = ProcessPayment | RollbackPayment
_command = msgspec.json.Decoder(Command)
_json = msgspec.json.Encoder()

log = structlog.get_logger("payments")

UNKNOWN = "outcome_unknown"
"""Code of a payment whose last call ended without an answer."""


class PaymentSettled(CallOutcome):
    """The outcome of a charge or a refund. If `code` is set, the provider declined it."""

    refund: bool = False
    charge_id: str = ""
    code: str = ""
    reason: str = ""
    unknown: bool = False
    """True if it is unknown whether the money was moved."""


class PaymentOwed(Internal):
    """A payment is stored as PENDING: repeat the call to the provider."""


class PaymentService(Service):
    """Stores the payments. Idempotent by order id: a duplicate command gets the first reply again.

    A refund that comes before its charge blocks the charge. While the provider has not answered,
    the payment is PENDING and stores the newest command that has to be answered.
    """

    participant: ClassVar[Participant] = PAYMENTS
    entity: ClassVar[type[Entity]] = Payment
    reminder: ClassVar[type[Message] | None] = PaymentOwed

    def __init__(self) -> None:
        super().__init__()
        self._gateway: PaymentGateway = SimulatedGateway()

    def receive_other(self, message: Any, sender: ActorAddress) -> None:
        """Handle `UseGateway`."""
        if isinstance(message, UseGateway):
            self._gateway = message.gateway
        else:
            super().receive_other(message, sender)

    # --- commands -----------------------------------------------------------------------------

    def process(self, payment: Payment | None, command: ProcessPayment, now: float) -> Answer:
        """Charge the customer, or repeat the reply to an earlier charge."""
        if payment is None:
            new = Payment(
                order_id=command.order_id,
                status=Payment.PENDING,
                amount=command.amount,
                currency=command.currency,
                customer_id=command.customer_id,
            )
            return self._charge(new, command, now, known=False)
        if payment.status == Payment.PENDING:
            owed = _command.decode(payment.command)
            if isinstance(owed, ProcessPayment):
                return self._charge(payment, command, now, known=True)
            return NOTHING  # being refunded: only the refund is answered
        return Answer(replies=(_first_answer(payment),))

    def roll_back(self, payment: Payment | None, command: RollbackPayment, now: float) -> Answer:
        """Refund the charge, or block it if it has not been made."""
        if payment is None:
            blocked = Payment(
                order_id=command.order_id,
                status=Payment.BLOCKED,
                code="rolled_back",
                reason="refunded before it was charged",
                updated_at=now,
            )
            return Answer((blocked,), (_rolled_back(blocked),))
        if payment.status == Payment.COMPLETED:
            return self._refund(payment, command, now)
        if payment.status == Payment.PENDING:
            if payment.charges:
                return self._refund(payment, command, now)
            if isinstance(_command.decode(payment.command), ProcessPayment):
                # The charge is being made: refund it as soon as its outcome is known.
                return Answer((_owing(payment, command, now),))
            return self._charge_to_refund(payment, command, now)
        return Answer(replies=(_rolled_back(payment),))

    # --- the provider's side ------------------------------------------------------------------

    def settled(self, payment: Payment | None, outcome: PaymentSettled, now: float) -> Answer:
        """Store the outcome of a call, and reply to the command that waits for it."""
        if payment is None or payment.status != Payment.PENDING:
            return NOTHING
        owed = _command.decode(payment.command)
        if outcome.refund:
            if isinstance(owed, ProcessPayment):
                return NOTHING
            if outcome.unknown or outcome.code:
                return Answer((_unsettled(payment, outcome, now),))
            return self._refunded(payment, owed, now)
        if payment.charges:
            return NOTHING  # already stored: the call was made twice with the same key
        if outcome.unknown:
            return Answer((_unsettled(payment, outcome, now),))
        if outcome.code:
            if isinstance(owed, RollbackPayment):
                failed = _failed(payment, outcome.code, outcome.reason, now)
                return Answer((failed,), (reply_to(owed, _rolled_back(failed), now),))
            return self._declined(payment, owed, outcome.code, outcome.reason, now)
        charged = _charged(payment, outcome.charge_id, now)
        if isinstance(owed, RollbackPayment):
            return self._refund(charged, owed, now)
        return Answer((charged,), (reply_to(owed, _completed(charged), now),))

    def owed(self, payment: Payment | None, owed: PaymentOwed, now: float) -> Answer:
        """Repeat the call of a pending payment.

        It was not answered, or not made because all threads were busy.
        """
        if payment is None or payment.status != Payment.PENDING:
            return NOTHING
        command = _command.decode(payment.command)
        if isinstance(command, ProcessPayment):
            return self._charge(payment, command, now, known=True)
        if payment.charges:
            return self._refund(payment, command, now)
        return self._charge_to_refund(payment, command, now)

    def _charge_to_refund(self, payment: Payment, owed: RollbackPayment, now: float) -> Answer:
        """Repeat a charge whose outcome is unknown, because only a known charge can be refunded."""
        charge = ProcessPayment(order_id=payment.order_id, attempt=owed.attempt)
        return self._ask_charge(payment, owed, _charge_of(payment, charge), now, known=True)

    def _charge(
        self, payment: Payment, command: ProcessPayment, now: float, *, known: bool
    ) -> Answer:
        return self._ask_charge(payment, command, _charge_of(payment, command), now, known=known)

    def _ask_charge(
        self, payment: Payment, owed: Command, charge: Charge, now: float, *, known: bool
    ) -> Answer:
        if not self._gateway.local:
            call = ExternalCall(
                service=self.participant.name,
                operation="charge",
                key=charge.key,
                order_id=payment.order_id,
                make=partial(self._gateway.charge, charge),
                then=partial(_settlement, payment.order_id, False),
            )
            return Answer((_owing(payment, owed, now),), calls=(call,))
        outcome = self._gateway.charge(charge)
        if isinstance(outcome, Approved) and isinstance(owed, ProcessPayment):
            charged = _charged(payment, outcome.charge_id, now)
            return Answer((charged,), (_completed(charged),))
        if isinstance(outcome, Declined) and isinstance(owed, ProcessPayment):
            failed = _failed(payment, outcome.code, outcome.reason, now)
            return Answer((failed,), (_first_answer(failed),))
        if isinstance(outcome, After):
            settled = _settlement(payment.order_id, False, outcome.outcome, None)
            return Answer((_owing(payment, owed, now),), later=((outcome.seconds, settled),))
        if isinstance(outcome, NoAnswer):
            return NOTHING if not known else Answer((_owing(payment, owed, now),))
        return self.settled(payment, _settlement(payment.order_id, False, outcome, None), now)

    def _refund(self, payment: Payment, command: RollbackPayment, now: float) -> Answer:
        refund = Refund(
            f"{payment.order_id}-refund",
            payment.order_id,
            payment.charge_id,
            payment.amount,
            payment.currency,
        )
        if not self._gateway.local:
            call = ExternalCall(
                service=self.participant.name,
                operation="refund",
                key=refund.key,
                order_id=payment.order_id,
                make=partial(self._gateway.refund, refund),
                then=partial(_settlement, payment.order_id, True),
            )
            return Answer((_owing(payment, command, now),), calls=(call,))
        outcome = self._gateway.refund(refund)
        if isinstance(outcome, Approved):
            return self._refunded(payment, command, now)
        if isinstance(outcome, After):
            settled = _settlement(payment.order_id, True, outcome.outcome, None)
            return Answer((_owing(payment, command, now),), later=((outcome.seconds, settled),))
        settled = _settlement(payment.order_id, True, outcome, None)
        if isinstance(outcome, Declined):
            # From a local gateway. `ExternalCalls` logs those of the others.
            log.warning(
                "payment.refund_declined", order_id=payment.order_id, key=refund.key,
                error=settled.error,
            )  # fmt: skip
        return Answer((_unsettled(_owing(payment, command, now), settled, now),))

    def _refunded(self, payment: Payment, command: RollbackPayment, now: float) -> Answer:
        refunded = replace(
            payment,
            status=Payment.REFUNDED,
            refunds=payment.refunds + 1,
            code="rolled_back",
            reason="refunded",
            command="",
            updated_at=now,
        )
        return Answer((refunded,), (reply_to(command, _rolled_back(refunded), now),))

    def _declined(
        self, payment: Payment, command: ProcessPayment, code: str, reason: str, now: float
    ) -> Answer:
        failed = _failed(payment, code, reason, now)
        return Answer((failed,), (reply_to(command, _first_answer(failed), now),))

    handlers: ClassVar[dict[type[Message], Handler]] = {
        ProcessPayment: process,
        RollbackPayment: roll_back,
        PaymentSettled: settled,
        PaymentOwed: owed,
    }


class UseGateway(msgspec.Struct, frozen=True):
    """Sets the payment provider of the payment service."""

    gateway: Any


def _charge_of(payment: Payment, command: ProcessPayment) -> Charge:
    return Charge(
        payment.order_id,
        payment.order_id,
        payment.amount,
        payment.currency,
        payment.customer_id,
        command,
    )


def _settlement(
    order_id: str, refund: bool, outcome: Outcome | None, error: BaseException | None
) -> PaymentSettled:
    if isinstance(outcome, Approved):
        return PaymentSettled(order_id=order_id, refund=refund, charge_id=outcome.charge_id)
    if isinstance(outcome, Declined):
        code, reason = outcome.code or DECLINED, outcome.reason
        if not refund:  # an ordinary answer, for which the order is cancelled
            return PaymentSettled(order_id=order_id, code=code, reason=reason)
        return PaymentSettled(
            order_id=order_id, refund=True, code=code, reason=reason,
            failure=DECLINED, error=f"{code}: {reason}",
        )  # fmt: skip
    return PaymentSettled(
        order_id=order_id,
        refund=refund,
        unknown=True,
        failure=EXCEPTION if error else NO_ANSWER,
        error=error_text(error) if error else "the provider gave no answer",
    )


def _unsettled(payment: Payment, outcome: PaymentSettled, now: float) -> Payment:
    """The payment, still PENDING, with the reason why its last call did not succeed.

    The saga's retry repeats the call with the same key if its outcome is unknown, or if a refund
    was declined, until the saga needs attention.
    """
    what = "refund" if outcome.refund else "charge"
    if outcome.unknown:
        code, reason = UNKNOWN, f"{what}, outcome unknown: {outcome.error}"
    else:
        code, reason = outcome.code, f"{what} declined: {outcome.error}"
    return replace(payment, code=code, reason=reason, updated_at=now)


def _owing(payment: Payment, command: Command, now: float) -> Payment:
    text = _json.encode(command).decode()
    return replace(payment, status=Payment.PENDING, command=text, updated_at=now)


def _charged(payment: Payment, charge_id: str, now: float) -> Payment:
    return replace(
        payment,
        status=Payment.COMPLETED,
        charge_id=charge_id,
        charges=payment.charges + 1,
        code="",
        reason="",
        command="",
        updated_at=now,
    )


def _failed(payment: Payment, code: str, reason: str, now: float) -> Payment:
    return replace(
        payment, status=Payment.FAILED, code=code, reason=reason, command="", updated_at=now
    )


def _completed(payment: Payment) -> PaymentCompleted:
    return PaymentCompleted(
        order_id=payment.order_id,
        amount=payment.amount,
        currency=payment.currency,
        charge_id=payment.charge_id,
    )


def _rolled_back(payment: Payment) -> PaymentRolledBack:
    refunded = payment.amount if payment.refunds else 0
    return PaymentRolledBack(order_id=payment.order_id, amount=refunded, currency=payment.currency)


def _first_answer(payment: Payment) -> PaymentCompleted | PaymentFailed:
    if payment.status == Payment.COMPLETED:
        return _completed(payment)
    return PaymentFailed(order_id=payment.order_id, code=payment.code, reason=payment.reason)
