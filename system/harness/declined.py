"""Commands that a service declines on purpose, with the failure reply of its step."""

import random

from msgspec.structs import replace

from order_sagas.actors.messages import Failed, Message, ProcessPayment
from order_sagas.actors.protocol import Ack, Delivery, Output
from order_sagas.actors.sagas.participant import Participant
from order_sagas.actors.services.service import reply_to
from order_sagas.system.harness.samples import sample_of
from order_sagas.system.harness.steps import Place, Steps, is_question, is_undo

BY_ITSELF = (ProcessPayment,)
"""Commands that are declined elsewhere: by the payment provider of a harness."""


class Declined:
    """Answers commands in place of services. A service answers a command always the same.

    So a command that the service has had is not declined later, and one that was declined never
    reaches the service: a repetition is declined too, also after the fault. Only after the pivot,
    where a step must succeed in the end, the service gets the repetition.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._declined: set[Place] = set()
        self._passed: set[Place] = set()

    def __bool__(self) -> bool:
        return bool(self._declined)

    def is_declined(self, message: Message) -> bool:
        """Return True if the command, or the question about it, was declined before."""
        return not is_undo(message) and self._steps.place_of(message) in self._declined

    def passes(self, message: Message) -> None:
        """Note that the service gets a message."""
        if not is_undo(message):
            self._passed.add(self._steps.place_of(message))

    def can_be(self, service: str, message: Message) -> bool:
        """Return True if the message is a command that can fail, and that the service never had."""
        step = self._steps.of_command(service, message)
        return (
            step is not None
            and step.failed is not None
            and not isinstance(message, BY_ITSELF)
            and not is_undo(message)
            and not is_question(message)
            and self._steps.place_of(message) not in self._passed
        )

    def answer(self, delivery: Delivery, participant: Participant) -> Ack:
        """Return the service's acknowledgement of a command that it declines."""
        command = delivery.message
        step = self._steps.step_of(command)
        assert step is not None
        assert step.failed is not None
        place = self._steps.place_of(command)
        if not self._steps.is_past_pivot(command):
            self._declined.add(place)
        rng = random.Random(f"declined/{command.saga_id}/{command.step}")
        reply = sample_of(step.failed, rng, self._steps.order_of(command))
        if isinstance(reply, Failed):
            reply = replace(reply, code="declined", reason="declined on purpose")
        stamped = reply_to(command, reply, delivery.now)
        output = Output(participant.topic, stamped.order_id, stamped)
        return Ack(delivery.batch, delivery.ticket, (output,))
