"""Lag: the numbers of records that roles have not handled yet."""

from collections import defaultdict
from collections.abc import Collection, Mapping

import attrs
import sqlalchemy as sa

from order_sagas.bridges.storage.consumers import consumer_of_role
from order_sagas.bridges.storage.queries import waiting, waiting_by_role
from order_sagas.bridges.storage.schema import log, offsets

RoleTopics = Mapping[str, Collection[str]]
"""For each role, the topics on which it takes records."""


@attrs.frozen
class Lag:
    """Numbers of records that are not handled yet.

    `topics` counts those that at least one role has not handled. `roles` counts, for each role,
    those on its topics behind its offsets; None for a role that was never started.
    """

    topics: Mapping[str, int]
    roles: Mapping[str, int | None]

    def named(self, names: Mapping[str, str]) -> "Lag":
        """Return this lag with other names of the roles."""
        return Lag(self.topics, {names[role]: count for role, count in self.roles.items()})


def lag_of_embedded(db: sa.Connection, roles: RoleTopics) -> Lag:
    """Return the lag on the embedded log; it is known for roles that were never started, too."""
    return Lag(waiting(db), waiting_by_role(db, roles))


def lag_of_topics(
    db: sa.Connection, ends: Mapping[tuple[str, int], int], group: str, roles: RoleTopics
) -> Lag:
    """Return the lag of a consumer group on Kafka's topics.

    `ends` are the offsets behind the last record, by topic and partition. A role that was never
    started may be run by services elsewhere: no topic lags because of it, unless none ever ran.
    """
    query = sa.select(offsets.c.topic, offsets.c.partition, offsets.c.position)
    of_topics: dict[str, int] = defaultdict(int)
    of_roles: dict[str, int | None] = {}
    least: dict[tuple[str, int], int] = {}
    for role, topics in roles.items():
        ours = query.where(offsets.c.consumer == consumer_of_role(group, role))
        reached = {
            (topic, partition): position
            for topic, partition, position in db.execute(ours.where(offsets.c.topic.in_(topics)))
        }
        of_roles[role] = None
        if reached:
            places = [place for place in ends if place[0] in topics]
            of_roles[role] = sum(max(0, ends[place] - reached.get(place, 0)) for place in places)
            for place in places:
                at = reached.get(place, 0)
                least[place] = min(at, least.get(place, at))
    for place, end in ends.items():
        of_topics[place[0]] += max(0, end - least.get(place, 0))
    return Lag(of_topics, of_roles)


def dead_letter_records(db: sa.Connection) -> int:
    """Records among the dead letters of the embedded log, with the marks of handled ones."""
    query = sa.select(sa.func.count()).where(log.c.topic == "dead-letters")
    return int(db.execute(query).scalar_one())
