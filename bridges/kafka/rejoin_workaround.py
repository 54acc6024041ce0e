"""Having kafka-python's consumer finish every join that it begins.

When the topics' metadata changes, it joins its group again; but that this is the reason, it forgets
as soon as it has assigned the partitions anew. If `poll` times out between that and the group's
answer, nobody takes the answer: the consumer sends no more heartbeats, is put out of its group,
and never joins again (3.0.12; Java's client was cured of it by KAFKA-9815).
"""

from kafka import KafkaConsumer


def finish_what_was_begun(consumer: KafkaConsumer) -> None:
    """Call it after each `poll`; the next one goes on with the join, if there is one."""
    coordinator = consumer._coordinator
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()
