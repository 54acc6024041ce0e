"""Finds out which of the records that failed together caused the failure."""

from collections.abc import Sequence

from kafka import KafkaProducer

from order_sagas.bridges.kafka.errors import (
    KafkaClientError,
    NotAcknowledgedError,
    RecordTooLargeError,
    mapped,
)
from order_sagas.bridges.kafka.fast_produce import has_fatal_error
from order_sagas.bridges.kafka.publication import Publication


class Verdicts:
    """Distinguishes a record that is too large from those that fail because of it.

    The broker's answer ends an idempotent producer, which then fails all of its pending records
    with the same error, including those of the same batch. For each producer, the first record that
    fails alone is taken to be too large; the others were not written, and may be published again.
    """

    def __init__(self, producer: KafkaProducer) -> None:
        self._producer = producer
        self._has_refused = False

    def settle(
        self, publication: Publication, places: Sequence[int], error: BaseException | None
    ) -> None:
        """Note the result of the records at these places of a publication."""
        if error is None:
            publication.settle(len(places))
            return
        ours = self._of(error, len(places))
        for place in places:
            publication.fail(place, ours)

    def _of(self, error: BaseException, records: int) -> KafkaClientError:
        """Return the error of `records` records that failed together."""
        ours = mapped(error)
        if not isinstance(ours, RecordTooLargeError):
            return ours
        if records > 1 or (self._has_refused and has_fatal_error(self._producer)):
            return NotAcknowledgedError(f"Not sent because of another record: {ours}")
        self._has_refused = True
        return ours
