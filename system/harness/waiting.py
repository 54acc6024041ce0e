"""Checks that every saga that waits for a reply has a timer in the worker that owns its shard."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from order_sagas.actors.sagas.advance import Timer
from order_sagas.actors.sagas.places import is_valid
from order_sagas.actors.sagas.saga_actor import SagaActor
from order_sagas.actors.sagas.state import SagaState
from order_sagas.bridges.audit.commit_rules import Broken
from order_sagas.bridges.records.partitioner import partition_for
from order_sagas.bridges.storage.role_offsets import EPOCHS

if TYPE_CHECKING:
    from order_sagas.system.harness.harness import Harness
    from order_sagas.system.harness.simulated_worker import Worker

RULE = "none waits without a timer"


def check_waiting(harness: "Harness", *, owned: bool = False) -> Iterator[Broken]:
    """Yield a violation for each saga with a deadline, but without a timer in its worker.

    Call it when nothing can be done without time passing. Workers with an open batch, which wait
    for the database, are skipped. If `owned`, every shard must have an owner.
    """
    stage = harness.stage
    epochs = dict(
        stage.database.connection.execute(
            "SELECT partition, position FROM offsets WHERE topic = ?", (EPOCHS,)
        )
    )
    waiting = {(saga.order_id, saga.saga): saga for saga in _open(harness)}
    owners = {
        shard: worker
        for worker in harness.workers.values()
        if worker.running
        for shard, epoch in worker.processor.shards.items()
        if epochs.get(shard) == epoch
    }
    timed = {
        number: _timed(worker) if worker.processor.is_idle else None
        for number, worker in harness.workers.items()
        if worker.running
    }
    for saga in waiting.values():
        shard = partition_for(saga.order_id.encode(), stage.partitions)
        owner = owners.get(shard)
        if owner is None:
            if owned:
                yield Broken(RULE, saga.saga_id, f"no worker owns its shard {shard}")
            continue
        sagas = timed[owner.number]
        if sagas is not None and saga.saga_id not in sagas:
            detail = f"worker {owner.number} has no timer for its deadline {saga.deadline}"
            yield Broken(RULE, saga.saga_id, detail)


def _open(harness: "Harness") -> Iterator[SagaState]:
    for saga_id, order_id in harness.ledger.open.items():
        saga = harness.ledger.facts[order_id].sagas[saga_id.partition("/")[0]]
        if saga.deadline is not None:
            yield saga


def _timed(worker: "Worker") -> set[str]:
    """Return the ids of the sagas with a timer for their current deadline."""
    found = set()
    for timer in worker.base.timers():
        if isinstance(timer.payload, Timer):
            actor = timer.address.actor  # pyright: ignore[reportAttributeAccessIssue]  # a `Cell`
            saga = actor.state if isinstance(actor, SagaActor) else None
            # A timer for an earlier deadline is stale, and has no effect.
            if saga and is_valid(saga, timer.payload):
                found.add(saga.saga_id)
    return found
