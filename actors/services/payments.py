"""The payment service: makes each charge and each refund once."""

from functools import partial
from typing import Any, ClassVar

from msgspec.structs import replace

from order_sagas.actors.entities import Entity, Payment
from order_sagas.actors.messages import (
    Failed,
    Message,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    ProcessPayment,
    RollbackPayment,
)
from order_sagas.actors.participants import PAYMENTS
from order_sagas.actors.sagas.definition import Participant
from order_sagas.actors.services.effect import EffectOwed, EffectSettled
from order_sagas.actors.services.effect_handlers import Making
from order_sagas.actors.services.effects import EffectService
from order_sagas.actors.services.payment_gateway import Approved, Charge, Refund
from order_sagas.actors.services.simulated_gateway import SimulatedGateway

Command = ProcessPayment | RollbackPayment


class PaymentSettled(EffectSettled):
    """The outcome of a charge, or with `undo` of a refund."""


class PaymentOwed(EffectOwed):
    """A payment is stored as PENDING: repeat the call to the provider."""


class PaymentService(EffectService):
    """Stores the payments. Idempotent by order id: a duplicate command gets the first reply again.

    A refund that comes before its charge blocks the charge. While the provider has not answered,
    the payment is PENDING and stores the newest command that has to be answered. Its client is a
    `PaymentGateway`.
    """

    participant: ClassVar[Participant] = PAYMENTS
    entity: ClassVar[type[Entity]] = Payment
    do: ClassVar[type[Message]] = ProcessPayment
    done: ClassVar[type[Message]] = PaymentCompleted
    failed: ClassVar[type[Failed]] = PaymentFailed
    undo: ClassVar[type[Message] | None] = RollbackPayment
    undone: ClassVar[type[Message] | None] = PaymentRolledBack
    operations: ClassVar[tuple[str, str]] = ("charge", "refund")
    settled_by: ClassVar[type[EffectSettled]] = PaymentSettled
    reminder: ClassVar[type[Message] | None] = PaymentOwed

    def __init__(self) -> None:
        super().__init__()
        self._client = SimulatedGateway()

    def doing(self, effect: Payment, owed: Command) -> Making:
        """The charge. An undo repeats it, because only a known charge can be refunded."""
        if isinstance(owed, RollbackPayment):
            owed = ProcessPayment(order_id=effect.order_id, attempt=owed.attempt)
        charge = _charge_of(effect, owed)
        return charge.key, partial(self._client.charge, charge)

    def undoing(self, effect: Payment, command: RollbackPayment) -> Making:
        """The refund of the whole charge."""
        refund = Refund(
            f"{effect.order_id}-refund",
            effect.order_id,
            effect.charge_id,
            effect.amount,
            effect.currency,
        )
        return refund.key, partial(self._client.refund, refund)

    @classmethod
    def check_result(cls, order_id: str, value: Any) -> None:
        """Raise TypeError if a gateway returned something else than it may."""
        if not isinstance(value, Approved):
            raise TypeError(
                f"the payment gateway returned {type(value).__name__}; "
                "it must return Approved, Declined or NoAnswer"
            )

    def intended(self, command: ProcessPayment) -> Payment:
        """A payment that is about to be charged."""
        return Payment(
            order_id=command.order_id,
            status=Payment.PENDING,
            amount=command.amount,
            currency=command.currency,
            customer_id=command.customer_id,
        )

    def blocked(self, command: RollbackPayment, now: float) -> Payment:
        """A payment that will never be charged."""
        return Payment(
            order_id=command.order_id,
            status=Payment.BLOCKED,
            code="rolled_back",
            reason="refunded before it was charged",
            updated_at=now,
        )

    def is_made(self, effect: Payment) -> bool:
        """True if the customer was charged, even if refunded later."""
        return effect.charges > 0

    def made(self, effect: Payment, value: Approved, now: float) -> Payment:
        """The payment after its charge."""
        return replace(
            effect,
            status=Payment.COMPLETED,
            charge_id=value.charge_id,
            charges=effect.charges + 1,
            code="",
            reason="",
            command="",
            updated_at=now,
        )

    def taken_back(self, effect: Payment, now: float) -> Payment:
        """The payment after its refund."""
        return replace(
            effect,
            status=Payment.REFUNDED,
            refunds=effect.refunds + 1,
            code="rolled_back",
            reason="refunded",
            command="",
            updated_at=now,
        )

    def first_answer(self, effect: Payment) -> PaymentCompleted | PaymentFailed:
        """The reply to the charge."""
        if effect.status == Payment.COMPLETED:
            return PaymentCompleted(
                order_id=effect.order_id,
                amount=effect.amount,
                currency=effect.currency,
                charge_id=effect.charge_id,
            )
        return PaymentFailed(order_id=effect.order_id, code=effect.code, reason=effect.reason)

    def undo_answer(self, effect: Payment) -> PaymentRolledBack:
        """The reply to the refund, with the amount that was refunded."""
        refunded = effect.amount if effect.refunds else 0
        return PaymentRolledBack(
            order_id=effect.order_id, amount=refunded, currency=effect.currency
        )


def _charge_of(payment: Payment, command: ProcessPayment) -> Charge:
    return Charge(
        payment.order_id,
        payment.order_id,
        payment.amount,
        payment.currency,
        payment.customer_id,
        command,
    )
