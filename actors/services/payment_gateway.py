"""The port to a payment provider: requests, outcomes, and the protocol of a gateway."""

from typing import NamedTuple, Protocol

from order_sagas.actors.messages import ProcessPayment
from order_sagas.actors.services.call_outcomes import After, Declined, NoAnswer

__all__ = [
    "After",
    "Approved",
    "Charge",
    "Declined",
    "NoAnswer",
    "Outcome",
    "PaymentGateway",
    "Refund",
]


class Charge(NamedTuple):
    """A charge of `amount` minor units. `key` is the idempotency key: one charge for each key."""

    key: str
    order_id: str
    amount: int
    currency: str
    customer_id: str
    command: ProcessPayment


class Refund(NamedTuple):
    """The refund of a whole charge. `key` is the idempotency key."""

    key: str
    order_id: str
    charge_id: str
    amount: int
    currency: str


class Approved(NamedTuple):
    """The money was moved. `charge_id` is the provider's id of the charge."""

    charge_id: str


Outcome = Approved | Declined | NoAnswer | After
"""What a gateway can return."""


class PaymentGateway(Protocol):
    """A payment provider.

    A gateway that is not `local` is called after the commit that stores the intention, on another
    thread, and possibly more than once with the same key. An exception counts as no answer. It must
    have a timeout; see `ExternalCall`. A `local` gateway must be pure and fast, because it is
    called inside the batch.
    """

    @property
    def local(self) -> bool:
        """True if the gateway is called inside the batch."""
        ...

    def charge(self, charge: Charge) -> Outcome:
        """Charge the customer, once for each key."""
        ...

    def refund(self, refund: Refund) -> Outcome:
        """Refund a whole charge, once for each key."""
        ...
