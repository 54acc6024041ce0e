"""A worker process that a test freezes. It prints each call of its owner on a line."""

import sys

import structlog

from order_sagas.bridges.kafka import KafkaConnection, TopicReader
from tests.integration.kafka.owners import RecordingOwner


class PrintingOwner(RecordingOwner):
    """Prints each call of the consumer."""

    def _note(self, event: str, shards: frozenset[int]) -> None:
        print(event, *sorted(shards), flush=True)
        super()._note(event, shards)


def main(servers: str, topic: str, group: str) -> None:
    """Read until standard input ends."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    owner = PrintingOwner()
    connection = KafkaConnection(bootstrap_servers=servers)
    owner.reader = TopicReader(connection, [topic], group, owner, session_timeout=1.0)
    owner.reader.start()
    sys.stdin.read()
    owner.reader.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
