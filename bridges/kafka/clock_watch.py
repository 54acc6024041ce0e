"""Detects from records that a clock differs from this machine's, without extra requests.

Kafka has no request for the time of a broker. But records have timestamps: of the machine that
wrote them or, in topics with `message.timestamp.type=LogAppendTime`, of the broker, which then also
returns it to the writer.
"""

import time
from collections.abc import Callable

from order_sagas.bridges.clock_differences import TOLERATED, warn_of_difference


class ClockWatch:
    """Warns once of records from the future, and once of a broker with another time.

    Times are in seconds since the Unix epoch.
    """

    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self.now = now
        self._has_warned = False

    def read(self, topic: str, written: float) -> None:
        """Note a record that was just read, and its own timestamp."""
        ahead = written - self.now()
        if ahead > TOLERATED and not self._has_warned:
            self._has_warned = warn_of_difference("records", ahead, topic=topic)

    def acknowledged(self, topic: str, sent: float, appended: float) -> None:
        """Note records that were just acknowledged, and when the broker appended them."""
        # The true time of the append is between `sent` and now, by the clock of this machine.
        difference = max(appended - self.now(), 0.0) or min(appended - sent, 0.0)
        if not self._has_warned:
            self._has_warned = warn_of_difference("broker", difference, topic=topic)
