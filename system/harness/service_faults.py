"""Faults of services, applied to deliveries between the batch processor and a service."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec
from thespian.actors import ActorAddress

from order_sagas.actors.messages import Message, OrderLine, ReserveStock, status
from order_sagas.actors.protocol import Ack, Delivery, Nack
from order_sagas.actors.sagas.registry import Registry
from order_sagas.system.harness.declined import Declined
from order_sagas.system.harness.faults import Declines, Raises, ServiceFault, Silent, Strike
from order_sagas.system.harness.incidents import ON_PURPOSE
from order_sagas.system.harness.record_faults import order_of
from order_sagas.system.harness.steps import Steps, is_undo

Put = Callable[[ActorAddress, ActorAddress, Any], None]
"""Puts a message into a mailbox (sender, receiver, message), bypassing interceptors."""

NOWHERE = OrderLine(sku="(declined on purpose)", quantity=1)
"""A line that is never in stock."""


class Troubles:
    """The service faults in force, except those that act on records (see `fault_injection`)."""

    def __init__(self, registry: Registry, elapsed: Callable[[], float], struck: Strike) -> None:
        self._struck = struck
        self._steps = Steps(registry)
        self._declined = Declined(self._steps)
        self._elapsed = elapsed
        self._faults: list[ServiceFault] = []
        self._raised: dict[int, int] = {}

    def __bool__(self) -> bool:
        return bool(self._faults) or bool(self._declined)

    def add(self, fault: ServiceFault) -> None:
        """Put a fault in force."""
        self._faults.append(fault)

    def remove(self, fault: ServiceFault) -> None:
        """Take a fault out of force."""
        self._faults = [each for each in self._faults if each is not fault]

    def clear(self) -> None:
        """Remove all faults."""
        self._faults.clear()

    def declines(self, service: str, order_id: str) -> bool:
        """Return True if the service refuses this order now."""
        for fault in self._of_order(service, order_id):
            if isinstance(fault, Declines) and self._is_in_time(fault):
                self._struck(fault, order_id, "a command")
                return True
        return False

    def meddle(
        self,
        service: str,
        put: Put,
        sender: ActorAddress,
        receiver: ActorAddress,
        message: Delivery,
    ) -> Iterable[Any]:
        """Return the messages that a service gets instead of a delivery."""
        told = message.message
        order_id = order_of(told.order_id, told.saga_id)
        address: Any = receiver  # the name is of the runtime, which holds the actor
        declined, participant = self._declined, address.actor.participant
        if declined and declined.is_declined(told) and self._is_command(service, told):
            put(receiver, sender, declined.answer(message, participant))
            return ()
        for fault in self._of_order(service, order_id):
            if not self._is_in_time(fault):
                continue
            if isinstance(fault, Silent) and self._is_waited_for(service, told, undo=fault.undo):
                self._struck(fault, order_id, status(told))
                put(receiver, sender, Ack(message.batch, message.ticket))
                return ()
            if isinstance(fault, Raises) and self._raises(fault, told):
                self._struck(fault, order_id, status(told))
                if fault.outright:
                    return (msgspec.structs.replace(message, message=None),)
                error = f"RuntimeError: {ON_PURPOSE}"
                put(receiver, sender, Nack(message.batch, message.ticket, error))
                return ()
            if isinstance(fault, Declines):
                if isinstance(told, ReserveStock):
                    self._struck(fault, order_id, status(told))
                    return (_hopeless(message, told),)
                if declined.can_be(service, told):
                    self._struck(fault, order_id, status(told))
                    put(receiver, sender, declined.answer(message, participant))
                    return ()
        declined.passes(told)
        return (message,)

    def passes(self, message: Message) -> None:
        """Note that a service gets a message, so that it is not declined when it is repeated."""
        self._declined.passes(message)

    def _is_command(self, service: str, message: Message) -> bool:
        return self._steps.of_command(service, message) is not None

    def _of_order(self, service: str, order_id: str) -> list[ServiceFault]:
        # A cheap filter first: most faults are about other orders.
        return [
            fault
            for fault in self._faults
            if fault.service == service and fault.order in ("", order_id)
        ]

    def _is_in_time(self, fault: ServiceFault) -> bool:
        return fault.since <= self._elapsed() < fault.until

    def _is_waited_for(self, service: str, message: Message, *, undo: bool) -> bool:
        step = self._steps.of_command(service, message)
        if step is None:
            return False  # a notice, not a message of a saga, or a reply that it overhears
        if is_undo(message):
            return undo and step.undone is not None
        return step.done is not None

    def _raises(self, fault: Raises, message: Message) -> bool:
        if fault.status not in ("", status(message)):
            return False
        count = self._raised[id(fault)] = self._raised.get(id(fault), 0) + 1
        return count <= fault.times


def _hopeless(delivery: Delivery, command: ReserveStock) -> Delivery:
    wanted = msgspec.structs.replace(command, lines=(NOWHERE,))
    return msgspec.structs.replace(delivery, message=wanted)
