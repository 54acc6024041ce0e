"""Acknowledgements of timers that fired while a batch was under way."""

from collections.abc import Collection

from order_sagas.actors.protocol import Ack
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.processor.batch import Batch


class TimerAcks:
    """Keeps acknowledgements for the next batch; otherwise the current one might never end."""

    def __init__(self) -> None:
        self.by_saga: dict[str, list[Ack]] = {}

    def keep(self, saga_id: str, handled: Ack) -> None:
        """Keep an acknowledgement, behind earlier ones of the same saga."""
        self.by_saga.setdefault(saga_id, []).append(handled)

    def add_to(self, batch: Batch) -> None:
        """Add all of them to a batch that begins."""
        kept, self.by_saga = self.by_saga, {}
        for of_one_saga in kept.values():
            for handled in of_one_saga:
                batch.absorb(handled)

    def catch_up(self, batch: Batch, handled: Ack) -> None:
        """Add those of the sagas of `handled` before it, so that the newest state is stored."""
        for write in handled.writes:
            if type(write) is SagaState:
                for earlier in self.by_saga.pop(write.saga_id, ()):
                    batch.absorb(earlier)

    def drop_unless(self, sagas: Collection[str]) -> None:
        """Drop those of other sagas than these: the next owner's timers fire again."""
        self.by_saga = {i: kept for i, kept in self.by_saga.items() if i in sagas}
