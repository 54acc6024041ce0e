"""The names under which workers of Kafka's topics keep offsets and epochs in the database.

Workers that run the same set of roles are one consumer group of Kafka, and one consumer for what
fences them and what they publish. Offsets are kept for each role, so that a role goes on where it
was, whatever set of roles it is started with.
"""

from collections.abc import Iterable


def consumer_of_set(group: str, roles: Iterable[str], every: Iterable[str]) -> str:
    """The consumer of a set of roles: the group itself, if it is `every` role there is."""
    ours = set(roles)
    return group if ours >= set(every) else f"{group}.{'+'.join(r for r in every if r in ours)}"


def consumer_of_role(group: str, role: str) -> str:
    """The consumer of the offsets of one role."""
    return f"{group}.{role}"


def shares_roles(consumer: str, group: str, roles: Iterable[str]) -> bool:
    """Whether a consumer is a set of the same group that has one of these roles."""
    if consumer == group:
        return True
    prefix = f"{group}."
    names = consumer.removeprefix(prefix).split("+") if consumer.startswith(prefix) else ()
    return any(role in names for role in roles)
