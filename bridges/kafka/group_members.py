"""The members of the system's consumer groups."""

import time
from collections.abc import Callable
from typing import TypeVar

from kafka import KafkaAdminClient
from kafka import errors as theirs

from order_sagas.bridges.kafka.connection import KafkaConnection
from order_sagas.bridges.kafka.errors import map_errors

LOADING = (theirs.CoordinatorLoadInProgressError, theirs.CoordinatorNotAvailableError)
"""The error of a broker just after its start, until it has loaded its groups."""
LOADING_SECONDS = 10.0
"""Maximum seconds to wait until a broker has loaded its groups."""
PAUSE = 0.2
"""Seconds between two requests."""

Answer = TypeVar("Answer")


def members_of(connection: KafkaConnection, group: str) -> int:
    """The number of workers that are running, with any roles.

    A broker that is loading its groups is asked again, for at most LOADING_SECONDS.
    """
    admin = connection.make(KafkaAdminClient)
    try:
        with map_errors():
            names = [each["group_id"] for each in _when_loaded(admin.list_groups)]
            ours = [n for n in names if n == group or n.startswith(f"{group}.")]
            found = _when_loaded(lambda: admin.describe_groups(ours)) if ours else {}
            return sum(len(each["members"]) for each in found.values())
    finally:
        admin.close()


def _when_loaded(ask: Callable[[], Answer]) -> Answer:
    latest = time.monotonic() + LOADING_SECONDS
    while True:
        try:
            return ask()
        except LOADING:
            if time.monotonic() > latest:
                raise
            time.sleep(PAUSE)
