"""The parts of a batch processor that several of its other parts use."""

from collections.abc import Mapping

import attrs
from thespian.actors import ActorAddress

from order_sagas.bridges.processor.context import ProcessorContext
from order_sagas.bridges.processor.dead_letters import DeadLetters
from order_sagas.bridges.processor.decoder import Decoder
from order_sagas.bridges.processor.log_adapter import LogAdapter
from order_sagas.bridges.processor.shard_ownership import ShardOwnership


@attrs.frozen
class SharedParts:
    """Passed to the deferral, the reader and the dispatcher of one processor."""

    context: ProcessorContext
    ownership: ShardOwnership
    receivers: Mapping[str, ActorAddress]
    """The actors of this process that take messages, by name."""
    log_adapter: LogAdapter
    dead_letters: DeadLetters
    decoder: Decoder
