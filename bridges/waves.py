"""A wave of messages: shown to their actors, and answered by what the next wave is made of."""

from typing import Any

import structlog
from thespian.actors import ActorAddress, PoisonMessage

from actors.clock import iso
from actors.delivery import Delivery, NotHandled
from actors.entities import Entity
from actors.messages import Message, status
from bridges.batch import Batch, Item, Ticket
from bridges.dead_letters import dead_letter
from bridges.observer import header_of
from bridges.parking import Parking
from bridges.partitions import partition_for
from bridges.record import Headers, Outgoing, Record
from bridges.routes import Route

log = structlog.get_logger("bridge")

TRIES = 2
"""How often a handler may fail on a record before the record is a dead letter."""


class Waves(Parking):
    """Delivers, and deals with what actors could not handle."""

    def _take_outcomes(self, batch: Batch, limit: int) -> list[Item]:
        """The next outcomes and reminders, at most `limit`; what cannot be handled now is kept."""
        queue, calls, inside = self._outcomes, self._calls, self._world.routes.inside
        holding = self._holding
        items: list[Item] = []
        while len(items) < limit and queue:
            outcome = queue.pop()
            message = outcome.message
            item = Item(message, "", None, inside(type(message)))
            if holding and any(route.receiver in holding for route in item.routes):
                queue.defer(outcome)
            elif self.elsewhere(item) is None:
                batch.outcomes.append(outcome)
                items.append(item)
            else:
                # If the shard comes back, the outcome is used; another owner makes the call again.
                batch.look_again = True  # its capacity is free
                if outcome.call:
                    calls.set_aside(outcome.call)
                given_up = queue.set_aside(outcome)
                if given_up and given_up.call:
                    calls.settled((given_up.call,))
        return items

    def _commit(self) -> None:
        """Every wave of the batch is over."""
        raise NotImplementedError

    def _forward(self, batch: Batch, item: Item, key: bytes) -> None:
        """Send an item's record on to the partition where its entity lives, whole."""
        record = item.record
        assert record is not None
        partition = partition_for(key, self._world.store.partitions)
        outgoing = Outgoing(record.topic, partition, key, record.value, record.headers)
        self.place(batch, outgoing, record.partition)

    def _deliver(self, batch: Batch, items: list[Item], *, first: bool = False) -> None:
        """Deliver these items; if none has a receiver in this process, the wave is over at once."""
        now = self._world.clock.now()
        states = self._load(batch, items)
        if first:  # those that follow are of orders that are being handled
            items = self._without_pruned(items, now)
        receivers, in_flight = self._receivers, self._in_flight
        starts = self._world.registry.started_by
        for item in items:
            message = item.message
            for route in item.routes:
                receiver = receivers.get(route.receiver)
                if receiver is None:
                    continue  # a role of another process
                if route.entity is None:
                    known = in_flight.get(message.saga_id)
                    # One saga may start another: that is nothing for the first.
                    if isinstance(known, ActorAddress) and type(message) not in starts:
                        receiver = known
                ticket = len(batch.tickets)
                batch.tickets.append(Ticket(item, route))
                batch.waiting += 1
                state = self._state(states, route, message) if states else None
                self.send(receiver, Delivery(batch.number, ticket, message, state, now))
        if not batch.waiting:
            self._wave_done(batch)

    def _without_pruned(self, items: list[Item], now: float) -> list[Item]:
        """Without what still comes for orders of which nothing is left: it changes nothing."""
        store = self._world.store
        old = {
            item.message.order_id
            for item in items
            if store.may_be_pruned(item.message.order_id) and not self._is_in_flight(item.message)
        }
        pruned = store.pruned(old) if old else ()
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
                saga_id=next(iter(self._sagas_for(message)), ""),
                order_id=message.order_id,
                seq=0,
                cause=message.event_id,
                status=status(message),
                reason="the order ended long ago and was pruned",
            )
        return kept

    def _load(self, batch: Batch, items: list[Item]) -> dict[Any, Any]:
        """What the store knows of the entities in a wave, in one query for each table."""
        wanted: dict[type[Entity] | None, dict[str, None]] = {}
        receivers, entities, is_in_flight = self._receivers, batch.entities, self._is_in_flight
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
        store = self._world.store
        numbers = store.numbers(order_id for ids in wanted.values() for order_id in ids)
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
        """What a receiver has to be shown of the entity, or of the saga, that a message is for."""
        if route.entity is not None:
            return states.get((route.entity, message.order_id))
        known = (states.get((None, saga_id)) for saga_id in self._sagas_for(message))
        return next((saga for saga in known if saga), None)

    def _note_stale_ack(self, number: int) -> None:
        """Count an acknowledgement for a batch that was rolled back; log one of each batch."""
        self._counts.stale_acks += 1
        if number > self._last_stale:
            self._last_stale = number
            log.info("batch.stale_acknowledgement", batch=number, current=self._batches)

    def _not_handled(self, failed: NotHandled) -> None:
        batch = self._batch
        if batch is None or failed.batch != batch.number or self._closed or self._away:
            self._note_stale_ack(failed.batch)
            return
        number, error = failed.ticket, failed.error
        ticket = batch.tickets[number]
        message = ticket.item.message
        if ticket.tries < TRIES:
            ticket.tries += 1
            receiver = self._receivers[ticket.route.receiver]
            state = self._state(self._load(batch, [ticket.item]), ticket.route, message)
            now = self._world.clock.now()
            self.send(receiver, Delivery(batch.number, number, message, state, now))
            return
        record = ticket.item.record or self._as_record(ticket)
        self._dead_letter(batch, record, error.strip().rsplit("\n", 1)[-1], details=error)
        batch.waiting -= 1
        if not batch.waiting:
            self._wave_done(batch)

    def _as_record(self, ticket: Ticket) -> Record:
        """The record of a message that never was in a log."""
        message, topic = ticket.item.message, ticket.item.topic
        key = message.order_id.encode()
        partition = partition_for(key, self._world.store.partitions)
        return Record(topic, partition, -1, key, self._world.wire.encode(message))

    def _poisoned(self, poison: PoisonMessage) -> None:
        delivery = poison.poisonMessage
        if isinstance(delivery, Delivery) and self._batch and delivery.batch == self._batch.number:
            self._batch.tickets[delivery.ticket].tries = TRIES
            error = str(poison.details or "the actor failed")
            self._not_handled(NotHandled(delivery.batch, delivery.ticket, error))

    def _wave_done(self, batch: Batch) -> None:
        outputs, batch.outputs = batch.outputs, []
        if outputs:
            world = self._world
            encode, routes, tracing = world.wire.encode, world.routes, world.tracing
            partitions, absent = world.store.partitions, self._absent
            items = []
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
                outgoing = Outgoing(topic, partition, raw, encode(message), headers)
                if absent:
                    to = routes.of(topic, type(message))
                    here = self.leave(batch, outgoing, to)
                    if to and not here:
                        continue
                    if self.place(batch, outgoing, shard):
                        items.append(Item(message, topic, None, here))
                elif self.place(batch, outgoing, shard):
                    items.append(Item(message, topic, None, routes.of(topic, type(message))))
            if self._holding:
                items = self._park(batch, items)
            if items:
                self._deliver(batch, items)
                return
        self._commit()

    def _dead_letter(
        self, batch: Batch, record: Record, error: str, details: str | None = None
    ) -> None:
        world = self._world
        self._counts.dead_letters += 1
        batch.dead_letters += 1
        log.error(
            "record.dead_lettered",
            topic=record.topic,
            partition=record.partition,
            offset=record.offset,
            error=error,
            **({"details": details} if details else {}),
        )
        letter = dead_letter(record, error, world.clock.now(), world.store.partitions)
        self.place(batch, letter, record.partition)
