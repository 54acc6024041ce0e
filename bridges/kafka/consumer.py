"""The Kafka consumer: reads topics on a thread of its own, one for the whole worker."""

import threading
from collections import deque
from collections.abc import Mapping, Sequence

import structlog
from kafka import KafkaConsumer
from kafka.errors import KafkaError, RetriableError
from kafka.structs import OffsetAndMetadata, TopicPartition

from order_sagas.bridges.kafka.assignor import ShardAssignor
from order_sagas.bridges.kafka.backpressure import Outstanding
from order_sagas.bridges.kafka.clock_watch import ClockWatch
from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.consumer_listener import Batch, ShardOwner
from order_sagas.bridges.kafka.errors import (
    BrokerUnreachableError,
    KafkaRefusedError,
    TopicMissingError,
    mapped,
)
from order_sagas.bridges.kafka.fast_fetch import convert, unpack_whole_batches
from order_sagas.bridges.kafka.rebalance import Shares
from order_sagas.bridges.kafka.rejoin_workaround import finish_pending_join
from order_sagas.bridges.records.record import Record

_log = structlog.get_logger(__name__)

_POLL = 0.1
"""Seconds that a poll waits for records, and so the longest delay of a stop or of new shards."""
_STALLED = 0.25
"""Seconds without room for a batch after which all partitions are paused, so that polling goes on.
"""
_RETRY = 0.5
"""Seconds before a failed attempt is repeated; doubled each time, up to ten times this."""


class TopicReader:
    """The worker's only consumer. Implements `ConsumerPort` with kafka-python.

    Delivery: every record is handed to the owner at least once, in order within its partition, from
    the offset that the owner gave; the owner stores offsets. At most `max_outstanding` batches of
    at most `max_batch` records are handed over and not done. The client buffers at most one more
    fetch of `fetch_bytes` bytes.
    """

    def __init__(
        self,
        connection: KafkaConnection,
        topics: Sequence[str],
        group: str,
        owner: ShardOwner,
        *,
        max_batch: int = 500,
        max_outstanding: int = 2,
        session_timeout: float = 10.0,
        max_poll_interval: float = 60.0,
        release_timeout: float = 10.0,
        fetch_bytes: int = 16 * 1024 * 1024,
        whole_batches: bool = True,
    ) -> None:
        """All times are in seconds.

        A worker without a heartbeat for `session_timeout` loses its shards. The owner has
        `release_timeout` to finish with a shard that moves to another worker.
        """
        self._connection = connection
        self._topics = list(topics)
        self._group = group
        self._owner = owner
        self._settings = {
            "max_poll_records": max_batch,
            "session_timeout_ms": int(session_timeout * 1000),
            "heartbeat_interval_ms": int(session_timeout / 4 * 1000),
            "max_poll_interval_ms": int(max(max_poll_interval, session_timeout) * 1000),
            "fetch_max_bytes": fetch_bytes,
        }
        self._release_timeout = release_timeout
        self._whole_batches = whole_batches
        self._outstanding = Outstanding(max_outstanding)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"kafka-reader-{group}", daemon=True)
        self._connected: bool | None = None
        self._pause = _RETRY
        """Seconds until the next attempt to connect."""
        self._rewind: deque[frozenset[int]] = deque()
        self._report: dict[TopicPartition, OffsetAndMetadata] = {}
        self._report_lock = threading.Lock()
        self._clocks = ClockWatch()

    def start(self) -> None:
        """Start the thread. Never fails: while Kafka cannot be reached, connecting is retried."""
        self._thread.start()

    def stop(self, timeout: float = 30.0, *, finished: bool = False) -> None:
        """Release the shards, leave the group, and end; blocks for up to `timeout` seconds.

        With `finished`, the owner is not waited for.
        """
        if finished:
            self._outstanding.finish()
        self._stopping.set()
        self._outstanding.wake()
        if self._thread.is_alive():
            self._thread.join(timeout)

    def done(self, batch: Batch) -> None:
        """The owner is done with the batch, committed or not. Can be called from any thread."""
        self._outstanding.done(batch)

    def released(self, shards: frozenset[int]) -> None:
        """The owner has released these shards, which were revoked.

        Can be called from any thread.
        """
        self._outstanding.released(shards)

    def rewind(self, shards: frozenset[int]) -> None:
        """Call `on_assigned` again, and read from there: for a batch that was rolled back.

        Records of these shards that were read before may still be delivered until `on_assigned` is
        called; those after it are from the new offset. Can be called from any thread.
        """
        self._rewind.append(shards)
        self._outstanding.wake()

    def report(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Report committed offsets to Kafka, for tools that show the lag.

        Can be called from any thread, and never blocks.
        """
        with self._report_lock:
            for (topic, partition), offset in offsets.items():
                self._report[TopicPartition(topic, partition)] = OffsetAndMetadata(offset, "", -1)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                consumer = self._connect()
            except Exception as error:
                self._log_failure("kafka.reader_not_connected", error)
            else:
                self._read_until_failure(consumer)
            self._stopping.wait(self._pause)
            self._pause = min(self._pause * 2, _RETRY * 10)

    def _connect(self) -> KafkaConsumer:
        consumer: KafkaConsumer = None
        # The assignor calls this only after `consumer` is set.
        assignor = ShardAssignor(lambda: consumer.assignment())
        consumer = self._connection.make(
            KafkaConsumer,
            **self._settings,
            group_id=self._group,
            partition_assignment_strategy=[assignor],
            enable_auto_commit=False,
            # An offset that is not in the topic is an error; `Shares` checks for it on assignment.
            auto_offset_reset="none",
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        if self._whole_batches and not unpack_whole_batches(consumer):
            _log.warning("kafka.reading_record_by_record")
        return consumer

    def _read_until_failure(self, consumer: KafkaConsumer) -> None:
        def topic_id(topic: str) -> str:
            # No public method returns it.
            return str(consumer._cluster.topic_id(topic) or "")

        shares = Shares(
            consumer, self._owner, self._outstanding, self._release_timeout, topic_id=topic_id
        )
        try:
            consumer.subscribe(self._topics, listener=shares)
            while not self._stopping.is_set():
                self._read_once(consumer, shares)
        except Exception as error:
            self._log_failure("kafka.reader_failed", error)
            shares.lose_all()
        finally:
            # Calls the listener for all assigned partitions, and leaves the group.
            consumer.close(autocommit=False, timeout_ms=5000)

    def _read_once(self, consumer: KafkaConsumer, shares: Shares) -> None:
        room = self._outstanding.wait_for_room(_STALLED)
        self._rewind_requested(shares)
        if room:
            consumer.resume(*(consumer.paused() - shares.unready - shares.held))
        else:
            consumer.pause(*consumer.assignment())
        try:
            polled = consumer.poll(timeout_ms=int(_POLL * 1000) if room else 0)
        except RetriableError as error:
            self._log_failure("kafka.reader_retries", error)
            self._stopping.wait(_POLL)
            return
        finish_pending_join(consumer)
        self._note_connection(consumer)
        refused = sorted(consumer._cluster.unauthorized_topics.intersection(self._topics))
        if refused:
            # The client stops refreshing its metadata: only a new client detects that the right was
            # granted again.
            raise KafkaRefusedError(_refusal(refused))
        stale = shares.was_away() or shares.topics_replaced()
        shares.ask_again()
        if shares.unready:
            self._settle(shares)
        if polled and not stale:
            self._hand_over([convert(record) for records in polled.values() for record in records])
        self._send_report(consumer)

    def _hand_over(self, records: list[Record]) -> None:
        if records:
            self._clocks.read(records[-1].topic, records[-1].timestamp)
        batch = Batch(records, frozenset(record.partition for record in records))
        self._outstanding.add(batch)
        self._owner.on_batch(batch)

    def _settle(self, shares: Shares) -> None:
        try:
            shares.settle()
        except Exception as error:  # for example an outage of the database; the shards stay paused
            _log.warning("kafka.shards_wait", error=str(error))
            self._stopping.wait(_RETRY)

    def _rewind_requested(self, shares: Shares) -> None:
        while self._rewind:
            shares.rewind(self._rewind.popleft())

    def _send_report(self, consumer: KafkaConsumer) -> None:
        with self._report_lock:
            report, self._report = self._report, {}
        if not report:
            return
        ours = consumer.assignment()
        offsets = {tp: offset for tp, offset in report.items() if tp in ours}
        if offsets:
            consumer.commit_async(offsets, callback=_ignore)

    def _note_connection(self, consumer: KafkaConsumer) -> None:
        # The group's coordinator is the only broker in constant use. No public method tells
        # whether it answers, and which topics are there.
        if consumer._coordinator.coordinator_unknown():
            if self._connected:  # before the first connection, it has only not been found yet
                self._disconnected("The group's coordinator does not answer.")
            return
        cluster = consumer._cluster
        gone = [topic for topic in self._topics if cluster.partitions_for_topic(topic) is None]
        refused = sorted(cluster.unauthorized_topics.intersection(gone))
        if refused or (gone and self._connected):
            self._disconnected(
                _refusal(refused) if refused else f"Kafka has no topic {', '.join(gone)}."
            )
        elif not gone and not self._connected:
            self._connected = True
            self._pause = _RETRY
            _log.info("kafka.connected", servers=self._connection.bootstrap_servers)
            self._owner.on_connected()

    def _disconnected(self, reason: str) -> None:
        if self._connected is not False:
            self._connected = False
            _log.warning("kafka.disconnected", reason=reason)
            self._owner.on_disconnected(reason)

    def _log_failure(self, event: str, error: Exception) -> None:
        ours = mapped(error) if isinstance(error, KafkaError) else error
        _log.warning(event, error=str(ours), kind=type(ours).__name__)
        if isinstance(ours, BrokerUnreachableError | KafkaRefusedError | TopicMissingError):
            self._disconnected(str(ours))


def _refusal(topics: Sequence[str]) -> str:
    return f"Kafka lets this worker not read {', '.join(topics)}."


def _ignore(offsets: object, result: object) -> None:
    """Ignore the result: a report that was lost is followed by a newer one."""
