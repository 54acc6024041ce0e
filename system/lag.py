"""How many records wait for the workers, whichever log it is."""

from collections.abc import Mapping

from actors.participants import DEAD_LETTERS, TOPICS
from bridges.kafka.whole_topic import ends_of_topics
from bridges.store import queries
from bridges.store.lag import behind
from system.kafka import connection_of
from system.settings import Settings


def lag_of(settings: Settings) -> Mapping[str, int]:
    """Records that no worker has handled, by topic; raises BridgeError where nobody can tell."""
    if not settings.kafka:
        with queries.reading(settings.database) as db:
            return queries.waiting(db)
    topics = [topic for topic in TOPICS if topic != DEAD_LETTERS]
    ends = ends_of_topics(connection_of(settings), topics, settings.partitions)
    with queries.reading(settings.database) as db:
        return behind(db, ends, settings.kafka_group)
