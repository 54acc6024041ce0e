"""Simulated faults of the payment provider and of services.

They follow from rules: the same seed and order id always give the same result.
"""

import zlib

import attrs

from order_sagas.actors.messages import Message
from order_sagas.actors.money import money
from order_sagas.actors.services.payment_gateway import (
    After,
    Approved,
    Charge,
    Declined,
    NoAnswer,
    Outcome,
    Refund,
)


def share(seed: int, what: str, order_id: str) -> float:
    """A number in [0, 1) that depends only on its arguments."""
    return zlib.crc32(f"{seed}/{what}/{order_id}".encode()) / 2**32


@attrs.frozen
class Silence:
    """Makes a service silent for the share `rate` of orders.

    It answers again after `attempts` attempts of a command, or never if 0.
    """

    rate: float = 0.0
    attempts: int = 0
    seed: int = 0
    where: str = "stock"

    def falls_on(self, command: Message) -> bool:
        """True if this attempt of the command gets no reply."""
        if not self.rate or (self.attempts and command.attempt > self.attempts):
            return False
        return share(self.seed, f"{self.where}-silent", command.order_id) < self.rate


@attrs.frozen
class SimulatedGateway:
    """A local payment provider that decides by rules, inside the batch.

    Declines amounts above `decline_above` (minor units of each order's currency), the customers
    `decline_customers`, and the share `decline_rate` of orders. Does not answer where `silence`
    applies. Answers after `delay` seconds.
    """

    decline_above: int | None = None
    decline_customers: frozenset[str] = frozenset()
    decline_rate: float = 0.0
    silence: Silence = Silence(where="payment")
    delay: float = 0.0
    seed: int = 0

    local: bool = attrs.field(default=True, init=False)

    def charge(self, charge: Charge) -> Outcome:
        """The outcome of a charge, by the rules."""
        if self.silence.rate and self.silence.falls_on(charge.command):
            return NoAnswer()
        outcome = self._decide(charge)
        return After(self.delay, outcome) if self.delay else outcome

    def refund(self, refund: Refund) -> Outcome:
        """Approve the refund; refunds are never declined."""
        return Approved(refund.charge_id)

    def _decide(self, charge: Charge) -> Approved | Declined:
        if charge.amount < 0:
            return Declined(
                "invalid_amount", f"{money(charge.amount, charge.currency)} is below zero"
            )
        if self.decline_above is not None and charge.amount > self.decline_above:
            asked, limit = (
                money(each, charge.currency) for each in (charge.amount, self.decline_above)
            )
            return Declined("amount_too_high", f"{asked} is above the limit of {limit}")
        if charge.customer_id in self.decline_customers:
            return Declined("customer_declined", f"customer {charge.customer_id} is declined")
        if self.decline_rate and share(self.seed, "decline", charge.order_id) < self.decline_rate:
            return Declined("card_declined", "the card was declined")
        return Approved(f"ch_{charge.key}")
