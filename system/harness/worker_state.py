"""The state of a simulated worker that the environment reads and changes."""

from typing import Protocol

from order_sagas.bridges.records.record import Outgoing
from order_sagas.bridges.storage.store import Store
from order_sagas.system.harness.record_faults import Trip


class WorkerState(Protocol):
    """Implemented by `Worker`, which is created in an environment and therefore imports it."""

    alive: bool
    """False once it has crashed or was stopped."""
    paused: bool
    """True while its whole process is paused, including the threads of its Kafka client."""
    placed: list[Outgoing]
    """Outgoing records of the open batch."""
    held: list[Trip]
    """Outgoing records of the open batch that a fault delays."""
    stores: list[Store]
    """Its open stores."""
