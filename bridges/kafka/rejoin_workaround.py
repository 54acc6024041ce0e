"""Workaround for a fault of kafka-python: makes the consumer finish every join that it begins.

When the metadata of the topics changes, the consumer rejoins its group; but it forgets this reason
as soon as it has computed the new assignment. If `poll` times out between that and the group's
answer, the answer is never read: the consumer stops sending heartbeats, is removed from its group,
and never rejoins (seen in 3.0.12; Java's client had the same fault, KAFKA-9815).
"""

from kafka import KafkaConsumer


def finish_pending_join(consumer: KafkaConsumer) -> None:
    """Request the join again if one is pending, so that the next `poll` finishes it.

    To be called after each `poll`.
    """
    coordinator = consumer._coordinator
    if coordinator.rejoining and not coordinator.need_rejoin():
        coordinator.request_rejoin()
