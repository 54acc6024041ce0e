"""The embedded log is several queues in one table, told apart by its columns `handled` and `role`.

Each queue has an offset for each shard, in the table `offsets`, under the consumer CONSUMER. A
record is read once from LOG or LEFT, whatever roles the reader runs. The reader delivers it to
those of its roles that take it, and leaves a copy in the queue of each other role that does. So
the progress of a role is its own, whatever set of roles it is started with.
"""

CONSUMER = "order-sagas"
"""The consumer under which the embedded log keeps its offsets, whatever roles a start runs."""

LOG = "log"
"""The queue of new records. Its name, as that of each queue, is the topic of its offsets."""
LEFT = "log:left"
"""The queue of what one worker left for the owner of another shard: the next steps of sagas that
are under way."""


def queue_of(role: str) -> str:
    """The queue of what was left for a role while it did not run."""
    return f"{OF_ROLES}{role}"


OF_ROLES = "log:role:"
"""How the names of the queues of roles begin."""

TO_READ, HANDLED, LEFT_FOR_OTHERS, LEFT_FOR_ROLE = range(4)
"""`handled`: in LOG; in no queue, since the batch that wrote the record has handled it; in LEFT,
which is read before LOG so that sagas under way end before others begin; in the queue of `role`."""
