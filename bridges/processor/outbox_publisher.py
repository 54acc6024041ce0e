"""Publishes the outbox to Kafka, and has the next commit delete what Kafka acknowledged."""

import sys
from collections.abc import Mapping
from typing import Any

import attrs
import structlog
from thespian.actors import WakeupMessage

from order_sagas.actors.sagas.retry import Retry
from order_sagas.actors.topics import DEAD_LETTERS
from order_sagas.bridges.errors import StoreUnavailableError
from order_sagas.bridges.kafka.errors import KafkaClientError, RecordTooLargeError
from order_sagas.bridges.kafka.ports import ProducerPort
from order_sagas.bridges.kafka.publication import Publication
from order_sagas.bridges.processor.batch import Batch
from order_sagas.bridges.processor.log_adapter import ProcessorHost
from order_sagas.bridges.processor.state import State
from order_sagas.bridges.records.dead_letter import dead_letter
from order_sagas.bridges.records.record import Outgoing, Record
from order_sagas.bridges.storage.changes import Changes

log = structlog.get_logger("processor")

AGAIN = Retry(attempts=sys.maxsize, backoff=0.5, factor=2.0, longest=5.0)
"""Delays before records that Kafka did not acknowledge are published again."""
TIDY_SECONDS = 1.0
"""Seconds that published records wait in the outbox for a batch that deletes them."""
SWEEP_SECONDS = 5.0
"""Seconds between reads of records whose submitters died between commit and publication."""
SWEEP_RECORDS = 1000
"""Maximum number of submitters' records that are read at a time."""


@attrs.frozen(eq=False)
class Published:
    """Result of publishing outbox rows: each is acknowledged, too large, or to be retried."""

    rows: dict[int, Outgoing]
    publication: Publication


class _Again:
    """Wakeup: publish again what was not acknowledged."""


class _Tidy:
    """Wakeup: delete published rows of the outbox, even if no batch does."""


class _Sweep:
    """Wakeup: read what submitters committed and did not publish."""


class OutboxPublisher:
    """The outbox rows of the owned shards that are on their way to Kafka.

    A row is published after the commit that stored it, again until Kafka acknowledges it, and
    deleted by a later commit. One that is too large is replaced by its dead letter.
    """

    def __init__(self, host: ProcessorHost) -> None:
        self._host = host
        self._context = host.context
        self._ownership = host.ownership
        self._unpublished: dict[int, Outgoing] = {}
        """Outbox rows that are being published, or are to be published again."""
        self._flights: list[Published] = []
        self._failed: list[int] = []
        self._deleting = 0
        self._attempted = 0
        """Number of the last batch of which a commit was tried."""
        self._retried = False
        """Whether its commit was tried before, and may have succeeded without a response."""
        self._published: list[int] = []
        """Outbox rows that Kafka acknowledged: the next transaction deletes them."""
        self._refused: dict[int, Outgoing] = {}
        """Outbox rows that are too large for their topics, each with its dead letter: the next
        transaction replaces the row by it."""
        self._refilling: dict[int, Outgoing] = {}
        """Those of them that the open transaction replaces."""
        self._failures = 0
        """Consecutive failed attempts to publish."""
        self._again_due = False
        self._tidying = False
        self._left: set[int] = set()
        """Ids of the submitters' rows that were in the outbox at the last read."""

    def open(self, writer: ProducerPort) -> None:
        """Publish through this started producer; look for rows of submitters from now on."""
        self._writer = writer
        self._host.wake_up(SWEEP_SECONDS, _Sweep())

    def close(self) -> None:
        """Delete published rows of the outbox. The producer is closed."""
        for flight in self._flights:
            if flight.publication.is_done and not flight.publication.failures:
                self._published += flight.rows
        if self._published:
            try:
                self._context.store.commit(
                    Changes(published=self._published), self._context.clock.now()
                )
            except StoreUnavailableError as error:
                # The next owner of the shards publishes again what Kafka has already.
                log.warning("outbox.left_untidy", count=len(self._published), error=str(error))

    def receive(self, message: Any) -> None:
        """Handle a result of the producer, or a wakeup."""
        if type(message) is Published:
            self._note_published(message)
        elif isinstance(message, WakeupMessage):
            payload = type(message.payload)
            if payload is _Again:
                self._again_due = False
                self._publish_again()
            elif payload is _Tidy:
                self._tidying = False
                self._host.proceed_soon()
            elif payload is _Sweep:
                self._host.wake_up(SWEEP_SECONDS, _Sweep())
                self._context.flush()  # Kafka's log lines must not wait for a batch
                self._sweep()

    def add_changes(self, batch: Batch, changes: Changes) -> None:
        """Have the transaction of a batch delete published rows, and replace refused ones."""
        self._retried = self._attempted == batch.number
        self._attempted = batch.number
        changes.published = self._published[:]
        self._deleting = len(changes.published)
        self._refilling = dict(self._refused)
        changes.refused = [*self._refilling.items()]

    @property
    def needs_commit(self) -> bool:
        """Whether published rows are to be deleted, or refused ones replaced, without delay."""
        return bool(self._published or self._refused) and not self._tidying

    def on_committed(self, batch: Batch, outbox: list[int]) -> None:
        """Publish the outbox rows of a batch, of these ids, and the dead letters it stored."""
        # Rows published since then were appended behind those that this commit deleted.
        del self._published[: self._deleting]
        letters, self._refilling = self._refilling, {}
        if letters:
            for number in letters:
                self._refused.pop(number, None)
            self.publish(letters)
        if outbox:
            self.publish(
                {i: outgoing for i, (_, outgoing) in zip(outbox, batch.outbox, strict=True)}
            )
        if self._retried:
            self._publish_left_over()

    def publish_left(self, rows: Mapping[int, Outgoing]) -> None:
        """Publish rows that this worker or another one stored, and perhaps published, before."""
        if rows:
            log.info("outbox.published_again", count=len(rows))
            self.publish(dict(rows))

    def publish(self, rows: dict[int, Outgoing]) -> None:
        """Publish these rows of the outbox, by id; the result comes as a message."""
        self._unpublished.update(rows)
        flight = Published(rows, self._writer.publish(list(rows.values())))
        self._flights.append(flight)
        tell = self._context.tell
        flight.publication.add_done_callback(lambda _: tell(flight))
        self._context.watch("after publish")

    def _note_published(self, published: Published) -> None:
        self._flights.remove(published)
        failures = published.publication.failures
        for place, (number, outgoing) in enumerate(published.rows.items()):
            error = failures.get(place)
            if error is None:
                self._unpublished.pop(number, None)
                self._published.append(number)
            elif self._unpublished.get(number) is not outgoing:
                continue  # it, or its dead letter, was published again since
            elif isinstance(error, RecordTooLargeError):
                self._too_large(number, outgoing, error)
            else:
                self._failed.append(number)
        self._failures = self._failures + 1 if failures else 0
        if self._failed and not self._again_due:
            self._again_due = True
            wait = AGAIN.wait_after(max(1, self._failures), self._context.store.consumer)
            assert wait is not None
            log.warning("publish.waiting", records=len(self._failed), retry_in=round(wait, 3))
            self._host.wake_up(wait, _Again())
        if (self._published or self._refused) and not self._tidying:
            self._tidying = True
            self._host.wake_up(TIDY_SECONDS, _Tidy())

    def _publish_left_over(self) -> None:
        """Publish outbox rows that this worker stored without knowing.

        A batch of timers moves no offset: if the response to its commit is lost, the next attempt
        stores its records again, with other ids.
        """
        store = self._context.store
        known = {*self._unpublished, *self._published}
        rows = store.outbox.unpublished(sorted(self._ownership.epochs), store.consumer)
        self.publish_left({number: row for number, row in rows if number not in known})

    def _sweep(self) -> None:
        """Publish records that submitters committed and did not publish, some at a time.

        Only those that were there at the last read too: submitters may be publishing newer ones.
        """
        if not self._ownership.epochs or self._host.state not in (State.IDLE, State.OPEN):
            return
        rows = dict(
            self._context.store.outbox.submitted(sorted(self._ownership.epochs), SWEEP_RECORDS)
        )
        known = {*self._unpublished, *self._published}
        left = {i: row for i, row in rows.items() if i in self._left and i not in known}
        self._left = {*rows}
        if left:
            log.warning("outbox.left_by_submitter", count=len(left))
            self.publish(left)

    def _publish_again(self) -> None:
        failed, self._failed = sorted(set(self._failed)), []
        rows = {i: self._unpublished[i] for i in failed if i in self._unpublished}
        if rows:
            self.publish(rows)

    def _too_large(self, number: int, outgoing: Outgoing, error: KafkaClientError) -> None:
        """Replace an outbox row that is too large for its topic by its dead letter.

        A dead letter that is too large itself stays in the outbox. It is published again when its
        shard is claimed, since the topic's limit may have been raised by then.
        """
        size = len(outgoing.value or b"")
        if outgoing.topic == DEAD_LETTERS:
            del self._unpublished[number]  # may take many megabytes uncompressed
            problem = f"dead letter {number} of the outbox stays in the database: {error}"
            log.error("dead_letter.too_large", outbox_id=number, size=size, error=str(error))
            self._host.counts.last_error = problem
            return
        log.error(
            "record.too_large", topic=outgoing.topic, outbox_id=number, size=size, error=str(error)
        )
        self._host.counts.dead_letters += 1
        record = Record(
            outgoing.topic, outgoing.partition, -1, outgoing.key, outgoing.value, outgoing.headers
        )
        context = self._context
        letter = dead_letter(record, str(error), context.clock.now(), context.store.partitions)
        self._refused[number] = letter
