"""Fake external systems of a harness: a payment provider and a notification channel."""

from collections.abc import Callable

from order_sagas.actors.entities import Notification
from order_sagas.actors.services.payment_gateway import (
    Approved,
    Charge,
    Declined,
    Outcome,
    PaymentGateway,
    Refund,
)
from order_sagas.actors.services.simulated_gateway import SimulatedGateway


class Provider:
    """A payment provider that records one charge and one refund for each idempotency key.

    If `local`, it is called inside the batch; its records then include charges of batches that were
    rolled back.
    """

    def __init__(
        self,
        local: bool,
        declines: Callable[[str], bool],
        rules: PaymentGateway | None = None,
    ) -> None:
        self.local = local
        self.charges: dict[str, Charge] = {}
        """The charges, by idempotency key."""
        self.refunds: dict[str, Refund] = {}
        """The refunds, by idempotency key."""
        self._declines = declines
        self._rules: PaymentGateway = rules or SimulatedGateway()
        self._refused: dict[str, Declined] = {}

    def charge(self, charge: Charge) -> Outcome:
        """Charge once for each key; the same key gets the same outcome."""
        if charge.key in self._refused:
            return self._refused[charge.key]
        if charge.key not in self.charges:
            if self._declines(charge.order_id):
                outcome: Outcome = Declined("declined", "the provider declines, on purpose")
            else:
                outcome = self._rules.charge(charge)
            if isinstance(outcome, Declined):
                self._refused[charge.key] = outcome
            if not isinstance(outcome, Approved):
                return outcome
            self.charges[charge.key] = charge
        return Approved(f"ch_{charge.key}")

    def refund(self, refund: Refund) -> Outcome:
        """Refund once for each key."""
        self.refunds.setdefault(refund.key, refund)
        return Approved(refund.charge_id)

    def kept(self, order_id: str) -> int:
        """Return the amount charged minus the amount refunded for an order, in minor units."""
        paid = sum(c.amount for c in self.charges.values() if c.order_id == order_id)
        returned = sum(r.amount for r in self.refunds.values() if r.order_id == order_id)
        return paid - returned


class Mailbag:
    """A notification channel that records the first notification of each order."""

    name = "mailbag"

    def __init__(self, local: bool) -> None:
        self.local = local
        self.delivered: dict[str, Notification] = {}
        """The first notification of each order, by order id."""
        self.repeated: list[Notification] = []
        """Repeated notifications with a different text; a correct system sends none."""

    def send(self, notification: Notification, now: float) -> None:
        """Deliver a notification; one with the same order and text is ignored as a duplicate."""
        first = self.delivered.setdefault(notification.order_id, notification)
        if first.text != notification.text:
            self.repeated.append(notification)
