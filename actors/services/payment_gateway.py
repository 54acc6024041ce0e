"""What the payment service asks of a payment provider."""

from typing import NamedTuple, Protocol

from order_sagas.actors.messages import ProcessPayment


class Charge(NamedTuple):
    """A charge of `amount` minor units. `key` is the idempotency key: one key, one charge."""

    key: str
    order_id: str
    amount: int
    currency: str
    customer_id: str
    command: ProcessPayment


class Refund(NamedTuple):
    """The refund of a whole charge; `key` is the idempotency key."""

    key: str
    order_id: str
    charge_id: str
    amount: int
    currency: str


class Approved(NamedTuple):
    """The money moved; the provider's id of the charge."""

    charge_id: str


class Declined(NamedTuple):
    """The money did not move, and will not for this key."""

    code: str
    reason: str


class NoAnswer(NamedTuple):
    """The provider said nothing: whether the money moved is unknown."""


class After(NamedTuple):
    """The provider answers `outcome`, but only after so many seconds."""

    seconds: float
    outcome: Approved | Declined


Outcome = Approved | Declined | NoAnswer | After


class PaymentGateway(Protocol):
    """A payment provider.

    One that is not `local` is called after the commit that records the intention, on another
    thread, perhaps more than once with the same key; an exception counts as no answer. It must have
    a timeout: see `ExternalCall`. A `local` one promises to be pure and quick, and answers inside
    the batch.
    """

    @property
    def local(self) -> bool:
        """Whether it answers inside the batch."""
        ...

    def charge(self, charge: Charge) -> Outcome:
        """Charge the customer, once for each key."""
        ...

    def refund(self, refund: Refund) -> Outcome:
        """Give a whole charge back, once for each key."""
        ...
