"""The app of a demonstration that keeps running: the order business with an unreliable provider."""

from collections import Counter

import attrs

from order_sagas.actors.services.call_outcomes import NoAnswer
from order_sagas.actors.services.payment_gateway import Outcome, Refund
from order_sagas.actors.services.simulated_gateway import SimulatedGateway
from order_sagas.system import order_app
from order_sagas.system.demo import orders
from order_sagas.system.settings import Settings

STUCK = "DEMO-STUCK"
"""The order whose refund gets no answer until an operator has it sent again."""
UNANSWERED = 8
"""The number of refunds that a saga requests by itself."""


@attrs.frozen
class LiveGateway(SimulatedGateway):
    """A simulated provider that does not answer the first refunds of one order."""

    _asked: Counter[str] = attrs.field(factory=Counter, init=False)

    def refund(self, refund: Refund) -> Outcome:
        """Approve the refund, or give no answer."""
        if refund.order_id == STUCK and self._asked[refund.key] < UNANSWERED:
            self._asked[refund.key] += 1
            return NoAnswer()
        return super().refund(refund)


def gateway(settings: Settings) -> LiveGateway:
    """Return the provider, which declines as often as the one of `demo` and is as often silent."""
    made = orders.gateway(settings.seed)
    return LiveGateway(
        decline_above=made.decline_above,
        decline_rate=made.decline_rate,
        silence=made.silence,
        seed=made.seed,
    )


APP = attrs.evolve(order_app.APP, clients={**order_app.APP.clients, "payments": gateway})
"""The order business with this provider."""
