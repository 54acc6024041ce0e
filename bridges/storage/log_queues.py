"""The queues of the embedded log: one table, in which columns `handled` and `role` name the queue.

Each queue has an offset for each shard, in the table `offsets`, under the consumer CONSUMER. A
record is read once from LOG or LEFT, whatever roles the reader runs. The reader delivers it to
those of its roles that take it, and appends a copy to the queue of each other role that does. So
each role has its own progress, whatever set of roles it is started with.
"""

CONSUMER = "order-sagas"
"""The consumer of the embedded log's offsets, for any set of roles."""

LOG = "log"
"""The queue of new records. The name of a queue is the topic of its offsets."""
LEFT = "log:left"
"""The queue of records that a worker appended for the owner of another shard. They belong to sagas
in flight."""


def queue_of(role: str) -> str:
    """Return the queue of records that were appended for a role while it did not run."""
    return f"{OF_ROLES}{role}"


OF_ROLES = "log:role:"
"""Prefix of the names of the roles' queues."""

TO_READ, HANDLED, LEFT_FOR_OTHERS, LEFT_FOR_ROLE = range(4)
"""Values of log.handled: in LOG, new; in no queue, since the transaction that wrote the record also
handled it; in LEFT, which is read before LOG so that sagas end before others begin; in the queue of
`role`."""
