"""Checks orders by their records in the topics and the books of providers, and by nothing else.

It shares no code with the system: neither its audit, nor its messages, nor its database.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from kafka import KafkaConsumer
from kafka.structs import TopicPartition

TOPICS = (
    "order-events",
    "payment-events",
    "stock-events",
    "notification-events",
    "dead-letters",
)
ENDS = {"ORDER_COMPLETED", "ORDER_CANCELLED"}
COMMANDS = {
    "ORDER_CREATED",
    "PROCESS_PAYMENT",
    "ROLLBACK_PAYMENT",
    "RESERVE_STOCK",
    "ROLLBACK_STOCK",
    "ROLLBACK_ORDER",
    *ENDS,
}
"""Statuses that a saga or a shop sends; all others are replies of services."""
UNDONE = "rolled_back"
"""The code of the reply to a command whose compensation came first."""
_OF_ATTEMPT = {"eventId", "attempt", "causationId", "occurredAt", "traceparent"}
"""Fields in which a reply that is given again may differ from the first."""


class Seen(NamedTuple):
    """A record of a topic, with its decoded value."""

    topic: str
    partition: int
    offset: int
    fields: Mapping[str, Any]

    @property
    def status(self) -> str:
        return str(self.fields.get("status"))

    @property
    def order_id(self) -> str:
        return str(self.fields.get("orderId"))

    @property
    def event(self) -> str:
        """What two records of one decision have in common."""
        return str(self.fields.get("eventId", self.status))

    @property
    def decided_at(self) -> str:
        return str(self.fields.get("occurredAt", ""))

    @property
    def content(self) -> str:
        """The content of a reply, without fields that differ between attempts."""
        kept = {name: each for name, each in self.fields.items() if name not in _OF_ATTEMPT}
        return json.dumps(kept, sort_keys=True)


class Moved(NamedTuple):
    """A row of the payment provider's ledger: `kind` is "charge" or "refund"."""

    kind: str
    order_id: str
    amount: int
    currency: str


def read_topics(servers: str, topics: Iterable[str] = TOPICS) -> list[Seen]:
    """Return all records, each topic from its beginning to its present end."""
    consumer = KafkaConsumer(bootstrap_servers=servers, group_id=None, enable_auto_commit=False)
    try:
        places = [
            TopicPartition(topic, each)
            for topic in topics
            for each in sorted(consumer.partitions_for_topic(topic))
        ]
        consumer.assign(places)
        consumer.seek_to_beginning(*places)
        ends = consumer.end_offsets(places)
        found: list[Seen] = []
        while any(consumer.position(place) < ends[place] for place in places):
            for place, records in consumer.poll(timeout_ms=500).items():
                found += [
                    Seen(place.topic, place.partition, each.offset, json.loads(each.value or "{}"))
                    for each in records
                ]
        return found
    finally:
        consumer.close()


def problems(
    records: Iterable[Seen],
    submitted: Collection[str],
    ledger: Iterable[Moved],
    on_hand: Mapping[str, int],
) -> list[str]:
    """Return what is wrong, a sentence each.

    `records` are those of all topics, in order within each partition; `submitted` the ids of the
    orders that were acknowledged; `on_hand` what the warehouse still has, by SKU.
    """
    by_order: dict[str, list[Seen]] = defaultdict(list)
    loaded: Counter[str] = Counter()
    found: list[str] = []
    for record in records:
        if record.topic == "dead-letters":
            found.append(f"dead letter: {dict(record.fields)}")
        elif record.status == "LOAD_STOCK":
            loaded.update(_goods(record))
        else:
            by_order[record.order_id].append(record)
    money: dict[str, list[Moved]] = defaultdict(list)
    for moved in ledger:
        money[moved.order_id].append(moved)

    known = {order_id for order_id, of_one in by_order.items() if _created(of_one)}
    found += [f"{each}: no ORDER_CREATED in the topics" for each in {*submitted} - known]
    found += [f"{each}: nobody created this order" for each in {*by_order, *money} - known]
    sold: Counter[str] = Counter()
    for order_id in sorted(known):
        of_one = by_order[order_id]
        end, wrong = _end_of(of_one)
        wrong += _money_wrong(_created(of_one), end, money[order_id])
        wrong += _goods_wrong(of_one, end)
        wrong += _after_the_end(of_one)
        found += [f"{order_id}: {each}" for each in wrong]
        if end == "ORDER_COMPLETED":
            sold.update(_goods(_created(of_one)[0]))
    for sku in sorted(loaded | sold | Counter(on_hand)):
        left = loaded[sku] - sold[sku]
        if left < 0 or left != on_hand.get(sku, 0):
            counts = f"{loaded[sku]} loaded, {sold[sku]} sold by topics"
            found.append(f"{sku}: {counts}, {on_hand.get(sku, 0)} on hand")
    return found


def _end_of(of_one: list[Seen]) -> tuple[str, list[str]]:
    """Return how an order ended by its own topic, and what is wrong with its ends."""
    wrong, end = [], ""
    for topic in ("order-events", "notification-events"):
        ends = {each.event: each for each in of_one if each.topic == topic and each.status in ENDS}
        statuses = sorted(each.status for each in ends.values())
        if len(statuses) != 1:
            wrong.append(f"{len(statuses)} terminal events in {topic}: {', '.join(statuses)}")
        elif end and statuses != [end]:
            wrong.append(f"{end} in order-events, {statuses[0]} in {topic}")
        else:
            end = statuses[0]
    return end, wrong


def _money_wrong(created: list[Seen], end: str, moved: list[Moved]) -> Iterator[str]:
    fields = created[0].fields
    amount = sum(each["quantity"] * each.get("unitPrice", 0) for each in fields["lines"])
    charges = [(each.amount, each.currency) for each in moved if each.kind == "charge"]
    refunds = [(each.amount, each.currency) for each in moved if each.kind == "refund"]
    if end == "ORDER_COMPLETED":
        if charges != [(amount, fields["currency"])]:
            yield f"completed, worth {amount}, and charged {charges}"
        if refunds:
            yield f"completed, and refunded {refunds}"
    elif end == "ORDER_CANCELLED" and (len(charges) > 1 or charges != refunds):
        yield f"cancelled, charged {charges} and refunded {refunds}"


def _goods_wrong(of_one: list[Seen], end: str) -> Iterator[str]:
    wanted = _goods(_created(of_one)[0])
    if any(_goods(each) != wanted for each in of_one if each.status == "RESERVE_STOCK"):
        yield "other goods were reserved than were ordered"
    statuses = {each.status for each in of_one}
    reserved, released = "STOCK_RESERVED" in statuses, "STOCK_ROLLED_BACK" in statuses
    if end == "ORDER_COMPLETED" and (not reserved or released):
        yield f"completed, and its goods reserved: {reserved}, released: {released}"
    if end == "ORDER_CANCELLED" and reserved and not released:
        yield "cancelled, and its goods are still reserved"


def _after_the_end(of_one: list[Seen]) -> Iterator[str]:
    """Find what was decided after the end.

    A reply may be given again, to a repeated command; and a command that is published twice may
    come a second time after its compensation, and is refused then.
    """
    ends = [each for each in of_one if each.topic == "order-events" and each.status in ENDS]
    if not ends:
        return
    first = ends[0]

    def is_after(record: Seen) -> bool:
        if record.decided_at:
            return record.decided_at > first.decided_at
        return record.topic == first.topic and record.offset > first.offset

    before = [each for each in of_one if not is_after(each)]
    events, contents = {each.event for each in before}, {each.content for each in before}
    published = Counter(each.event for each in of_one)

    def is_refused_again(record: Seen) -> bool:
        cause = str(record.fields.get("causationId"))
        return record.fields.get("code") == UNDONE and cause in events and published[cause] > 1

    for each in filter(is_after, of_one):
        if each.event in events or is_refused_again(each):
            continue
        if each.status in COMMANDS or each.content not in contents:
            yield f"{each.status} ({each.event}) after its end"


def _created(of_one: list[Seen]) -> list[Seen]:
    return [each for each in of_one if each.status == "ORDER_CREATED"]


def _goods(record: Seen) -> Counter[str]:
    goods: Counter[str] = Counter()
    for line in record.fields.get("lines", ()):
        goods[line["sku"]] += line["quantity"]
    return goods
