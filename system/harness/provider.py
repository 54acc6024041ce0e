"""The outside world of a harness: a payment provider and a way to customers, with their books."""

from collections.abc import Callable

from actors.entities import Notification
from actors.services.gateway import Approved, Charge, Declined, Outcome, PaymentGateway, Refund
from actors.services.simulation import SimulatedGateway


class Provider:
    """A payment provider that keeps its own books: one charge and one refund for each key.

    A `local` one answers inside the batch, and then its books hold what it was asked, even if that
    was rolled back.
    """

    def __init__(
        self,
        local: bool,
        declines: Callable[[str], bool],
        rules: PaymentGateway | None = None,
    ) -> None:
        self.local = local
        self.charges: dict[str, Charge] = {}
        """What was charged, by idempotency key."""
        self.refunds: dict[str, Refund] = {}
        """What was refunded, by idempotency key."""
        self._declines = declines
        self._rules: PaymentGateway = rules or SimulatedGateway()
        self._refused: dict[str, Declined] = {}

    def charge(self, charge: Charge) -> Outcome:
        """Charge once for each key; the same key gets the same answer."""
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
        """What the customer has paid for an order and not got back, in minor units."""
        paid = sum(c.amount for c in self.charges.values() if c.order_id == order_id)
        returned = sum(r.amount for r in self.refunds.values() if r.order_id == order_id)
        return paid - returned


class Mailbag:
    """A way to customers that keeps what it was given; an order's message once."""

    name = "mailbag"

    def __init__(self, local: bool) -> None:
        self.local = local
        self.delivered: dict[str, Notification] = {}
        """The message each customer got, by order id."""
        self.repeated: list[Notification] = []
        """Messages that came again with other words; there must be none."""

    def send(self, notification: Notification, now: float) -> None:
        """Deliver it; the same message again is known by its order, and not delivered twice."""
        first = self.delivered.setdefault(notification.order_id, notification)
        if first.text != notification.text:
            self.repeated.append(notification)
