"""Names under which workers on Kafka keep offsets and epochs in the database.

Workers that run the same set of roles are one consumer group of Kafka, and one consumer of epochs
and of the outbox. Offsets are kept for each role, so that a role continues where it was, whatever
set of roles it is started with.
"""

from collections.abc import Iterable


def consumer_of_set(group: str, roles: Iterable[str], every: Iterable[str]) -> str:
    """Return the consumer of a set of roles: the group itself, if the set is `every` role."""
    ours = set(roles)
    return group if ours >= set(every) else f"{group}.{'+'.join(r for r in every if r in ours)}"


def consumer_of_role(group: str, role: str) -> str:
    """Return the consumer of the offsets of one role."""
    return f"{group}.{role}"


def shares_roles(consumer: str, group: str, roles: Iterable[str]) -> bool:
    """Whether a consumer is that of a set of the same group with one of these roles."""
    if consumer == group:
        return True
    prefix = f"{group}."
    names = consumer.removeprefix(prefix).split("+") if consumer.startswith(prefix) else ()
    return any(role in names for role in roles)
