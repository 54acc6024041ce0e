"""Simulated misbehaviour, by declared rules: the same seed and order always behave the same."""

import zlib

import attrs

from actors.messages import Message
from actors.money import money
from actors.services.gateway import After, Approved, Charge, Declined, NoAnswer, Outcome, Refund


def share(seed: int, what: str, order_id: str) -> float:
    """A number in [0, 1) that depends on nothing but its arguments."""
    return zlib.crc32(f"{seed}/{what}/{order_id}".encode()) / 2**32


@attrs.frozen
class Silence:
    """Falls on the share `rate` of orders; ends after `attempts` of a command, or never if 0."""

    rate: float = 0.0
    attempts: int = 0
    seed: int = 0
    where: str = "stock"

    def falls_on(self, command: Message) -> bool:
        """Whether this attempt of the command gets no answer."""
        if not self.rate or (self.attempts and command.attempt > self.attempts):
            return False
        return share(self.seed, f"{self.where}-silent", command.order_id) < self.rate


@attrs.frozen
class SimulatedGateway:
    """A payment provider that is local and pure: it decides by rules, and so inside the batch.

    Declines amounts above `decline_above` (minor units of each order's own currency), the customers
    named, and the share `decline_rate` of orders; is silent as `silence` says; answers after
    `delay` seconds.
    """

    decline_above: int | None = None
    decline_customers: frozenset[str] = frozenset()
    decline_rate: float = 0.0
    silence: Silence = Silence(where="payment")
    delay: float = 0.0
    seed: int = 0

    local: bool = attrs.field(default=True, init=False)

    def charge(self, charge: Charge) -> Outcome:
        """The provider's answer to a charge; refunds are always approved."""
        if self.silence.rate and self.silence.falls_on(charge.command):
            return NoAnswer()
        outcome = self._decide(charge)
        return After(self.delay, outcome) if self.delay else outcome

    def refund(self, refund: Refund) -> Outcome:
        """The provider's answer to a refund."""
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
