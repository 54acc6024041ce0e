"""Delivers a batch's messages to actors in rounds: the outputs of a round are the next one."""

from collections.abc import Callable
from typing import Any

import structlog
from thespian.actors import ActorAddress

from order_sagas.actors.clock import iso
from order_sagas.actors.entities import Entity
from order_sagas.actors.messages import Message, status
from order_sagas.actors.protocol import Delivery, Nack
from order_sagas.bridges.processor.batch import Batch, Item, Ticket
from order_sagas.bridges.processor.deferral import Deferral
from order_sagas.bridges.processor.early_replies import EarlyReplies
from order_sagas.bridges.processor.refused_writes import RefusedWrites
from order_sagas.bridges.processor.shared_parts import SharedParts
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.records.record import Headers, Outgoing, Record
from order_sagas.bridges.records.routing import Route
from order_sagas.bridges.records.trace_context import header_of

log = structlog.get_logger("processor")

TRIES = 2
"""Number of failures of a handler after which its record becomes a dead letter."""


class Dispatcher:
    """Sends deliveries and counts acknowledgements; retries failed ones, then dead-letters them.

    Each delivery has a ticket, its place in `Batch.tickets`. When a batch has no more deliveries
    and no output to deliver, `done` is called with it. A delivery whose results the database
    refused (`refused`) is not sent: its record becomes a dead letter.
    """

    def __init__(
        self,
        parts: SharedParts,
        deferral: Deferral,
        early: EarlyReplies,
        send: Callable[[ActorAddress, Any], None],
        done: Callable[[Batch], None],
        refused: RefusedWrites,
    ) -> None:
        self._context = parts.context
        self._ownership = parts.ownership
        self._receivers = parts.receivers
        self._log = parts.log_adapter
        self._dead_letters = parts.dead_letters
        self._deferral = deferral
        self._early = early
        self._send = send
        self._done = done
        self._refused = refused

    def deliver(self, batch: Batch, items: list[Item], *, first: bool = False) -> None:
        """Deliver these items; if none has a receiver in this process, the round is over."""
        now = self._context.clock.now()
        states = self._load(batch, items)
        if first:  # later rounds are about orders that are being handled
            items = self._without_pruned(items, now)
        receivers, in_flight, send = self._receivers, self._ownership.in_flight, self._send
        starts = self._context.registry.started_by
        number, tickets = batch.number, batch.tickets
        refused = self._refused or None
        for item in items:
            message = item.message
            for route in item.routes:
                receiver = receivers.get(route.receiver)
                if receiver is None:
                    continue  # a role of another process
                if refused and (error := refused.error(route, message)):
                    batch.refused.append((route, message))
                    self._dead_letters.write(batch, item.record or self._as_record(item), error)
                    continue
                if route.entity is None:
                    known = in_flight.get(message.saga_id)
                    # A saga may start another one: that message is not for the first.
                    if isinstance(known, ActorAddress) and type(message) not in starts:
                        receiver = known
                ticket = len(tickets)
                tickets.append(Ticket(item, route))
                batch.waiting += 1
                state = self._state(states, route, message) if states else None
                send(receiver, Delivery(number, ticket, message, state, now))
        if not batch.waiting:
            self.round_over(batch)

    def _without_pruned(self, items: list[Item], now: float) -> list[Item]:
        """Return the items without those for pruned orders, which are logged and ignored."""
        orders = self._context.store.orders
        old = {
            item.message.order_id
            for item in items
            if orders.may_be_pruned(item.message.order_id)
            and not self._ownership.is_in_flight(item.message)
        }
        pruned = orders.pruned(old) if old else ()
        if not pruned:
            return items
        kept = []
        for item in items:
            message = item.message
            if message.order_id not in pruned:
                kept.append(item)
                continue
            log.info(
                "saga.message_ignored",
                timestamp=iso(now),
                saga_id=next(iter(self._context.registry.saga_ids_of(message)), ""),
                order_id=message.order_id,
                seq=0,
                cause=message.event_id,
                status=status(message),
                reason="the order ended long ago and was pruned",
            )
        return kept

    def _load(self, batch: Batch, items: list[Item]) -> dict[Any, Any]:
        """Load the stored entities and sagas of a round, with one query for each table."""
        wanted: dict[type[Entity] | None, dict[str, None]] = {}
        receivers, entities, is_in_flight = (
            self._receivers,
            batch.entities,
            self._ownership.is_in_flight,
        )
        for item in items:
            message = item.message
            order_id = message.order_id
            for receiver, entity, _ in item.routes:
                if entity is None:
                    known = is_in_flight(message)
                else:
                    known = (entity, order_id) in entities
                if not known and receiver in receivers:
                    wanted.setdefault(entity, {})[order_id] = None
        if not wanted:
            return {}
        store = self._context.store
        numbers = store.orders.of(order_id for ids in wanted.values() for order_id in ids)
        found: dict[Any, Any] = {}
        for entity, order_ids in wanted.items():
            nos = [numbers[order_id] for order_id in order_ids if order_id in numbers]
            if not nos:
                continue
            if entity is None:
                for saga_id, saga in store.load_sagas(nos).items():
                    found[None, saga_id] = saga
            else:
                for order_id, state in store.load(entity, nos).items():
                    found[entity, order_id] = state
        return found

    def _state(self, states: dict[Any, Any], route: Route, message: Message) -> Any:
        """Return the stored entity or saga that a message is for; None if it is not loaded."""
        if route.entity is not None:
            return states.get((route.entity, message.order_id))
        known = (
            states.get((None, saga_id)) for saga_id in self._context.registry.saga_ids_of(message)
        )
        return next((saga for saga in known if saga), None)

    def not_handled(self, batch: Batch, failed: Nack) -> None:
        """Deliver again, or write a dead letter after TRIES failures."""
        number, error = failed.ticket, failed.error
        ticket = batch.tickets[number]
        message = ticket.item.message
        if ticket.tries < TRIES:
            ticket.tries += 1
            receiver = self._receivers[ticket.route.receiver]
            state = self._state(self._load(batch, [ticket.item]), ticket.route, message)
            now = self._context.clock.now()
            self._send(receiver, Delivery(batch.number, number, message, state, now))
            return
        record = ticket.item.record or self._as_record(ticket.item)
        last = error.strip().rsplit("\n", 1)[-1]
        self._dead_letters.write(batch, record, last, details=error, message=message)
        batch.waiting -= 1
        if not batch.waiting:
            self.round_over(batch)

    def failed(self, batch: Batch, delivery: Delivery, error: str) -> None:
        """The actor itself failed on a delivery: write a dead letter without another try."""
        batch.tickets[delivery.ticket].tries = TRIES
        self.not_handled(batch, Nack(delivery.batch, delivery.ticket, error))

    def _as_record(self, item: Item) -> Record:
        """Create a record for a message that no log has."""
        message, topic = item.message, item.topic
        key = message.order_id.encode()
        partition = partition_for(key, self._context.store.partitions)
        return Record(topic, partition, -1, key, self._context.wire.encode(message))

    def round_over(self, batch: Batch) -> None:
        """Deliver the outputs of a round that is acknowledged; end the batch if there are none."""
        outputs, batch.outputs = batch.outputs, []
        items: list[Item] = []
        if outputs:
            context = self._context
            encode, routes, tracing = context.wire.encode, context.routes, context.tracing
            known = routes.by_topic_and_class.get
            partitions, adapter = context.store.partitions, self._log
            absent, emit, forms = adapter.absent, adapter.emit, context.wire_forms
            for output in outputs:
                topic, message = output.topic, output.message
                raw = output.key.encode()
                partition = partition_for(raw, partitions)
                order_id = message.order_id
                shard = (
                    partition
                    if output.key == order_id
                    else partition_for(order_id.encode(), partitions)
                )
                headers: Headers = ()
                if tracing:
                    message = tracing.stamped(message, batch.sagas)
                    headers = header_of(message)
                value = encode(message)
                if forms and topic in forms:
                    value, headers = forms[topic](value, headers)
                outgoing = Outgoing(topic, partition, raw, value, headers)
                if absent:
                    to = routes.of(topic, type(message))
                    here = adapter.leave(batch, outgoing, to)
                    if to and not here:
                        continue
                    if emit(batch, outgoing, shard):
                        items.append(Item(message, topic, None, here))
                elif emit(batch, outgoing, shard):
                    items.append(Item(message, topic, None, known((topic, type(message)), ())))
            if self._deferral.holding:
                items = self._deferral.defer(batch, items)
        if self._early.count:
            items += self._early.due(batch)
        if items:
            self.deliver(batch, items)
            return
        self._done(batch)
