"""Figures of definitions: sagas in flight by version and step, failures and durations of steps."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping

import attrs
import sqlalchemy as sa

from order_sagas.actors.sagas.state import (
    DONE,
    UNDO_BACKOFF,
    UNDO_SENT,
    UNDO_STUCK,
    UNDONE,
    SagaState,
    decode_plain,
)
from order_sagas.bridges.durations import BUCKETS, bucket_of, quantile
from order_sagas.bridges.http.api.definition_views import DefinitionView
from order_sagas.bridges.http.api.schemas import View
from order_sagas.bridges.storage.schema import sagas

SAMPLED = 2000
"""Number of sagas, the newest ones, from whose histories the figures of steps are taken."""

WAS_DONE = frozenset({DONE, UNDO_SENT, UNDO_BACKOFF, UNDO_STUCK, UNDONE})
"""Phases of a step that was done, though it may be undone since."""

Version = tuple[str, int]
"""Name and version of a definition."""


class StepFigures(View):
    """Figures of one step. All except `inFlight` are of the newest sagas only."""

    step: str
    in_flight: int
    """Sagas that wait for it now."""
    done: int
    failed: int
    """Sagas that were compensated because of it."""
    failure_share: float | None
    """Share of failures among those that were done or failed, from 0 to 1.

    Null if there are none, and for a step without a reply.
    """
    duration_p50: float | None
    """Median of the seconds from its first command to its end, repetitions included."""
    duration_p95: float | None


class DefinitionFigures(View):
    """One version of a definition, and the figures of its sagas."""

    definition: DefinitionView
    in_flight: dict[str, int]
    """Sagas that have not ended, by status."""
    sampled: int
    """Number of its sagas among the newest ones, from which the figures of steps are taken."""
    steps: list[StepFigures]


class DefinitionsView(View):
    """Every version of a definition that is registered, or has sagas in flight."""

    definitions: list[DefinitionFigures]
    sampled: int
    """Number of sagas from whose histories the figures of steps are taken."""


@attrs.define
class _Step:
    done: int = 0
    failed: int = 0
    durations: list[int] = attrs.field(factory=lambda: [0] * BUCKETS)


@attrs.frozen
class InFlight:
    """Numbers of sagas in flight, by version."""

    by_status: dict[Version, Counter[str]] = attrs.field(factory=lambda: defaultdict(Counter))
    by_step: dict[Version, Counter[str]] = attrs.field(factory=lambda: defaultdict(Counter))


def in_flight_by_version(db: sa.Connection) -> InFlight:
    """Count the sagas in flight by version, with their statuses and their steps."""
    by = (sagas.c.saga, sagas.c.version, sagas.c.status, sagas.c.step)
    query = sa.select(*by, sa.func.count()).where(sagas.c.ended_at.is_(None)).group_by(*by)
    found = InFlight()
    for saga, version, status, step, count in db.execute(query):
        found.by_status[saga, version][status] += count
        for each in filter(None, step.split(", ")):
            found.by_step[saga, version][each] += count
    return found


def newest_sagas(db: sa.Connection) -> dict[Version, list[SagaState]]:
    """Return the newest sagas by version, at most SAMPLED in all."""
    query = sa.select(sagas.c.saga, sagas.c.version, sagas.c.state).order_by(sagas.c.no.desc())
    found: dict[Version, list[SagaState]] = defaultdict(list)
    for saga, version, state in db.execute(query.limit(SAMPLED)):
        found[saga, version].append(decode_plain(state))
    return found


def figures_of(
    definition: DefinitionView, in_flight: InFlight, newest: Iterable[SagaState]
) -> DefinitionFigures:
    """Return the figures of a version from its sagas."""
    version = (definition.saga, definition.version)
    stage_of = {step.step: step.stage for step in definition.steps}
    row_of = {step.item: step.step for step in definition.steps if step.item}
    told = {
        place: step.step
        for place, step in enumerate(definition.steps)
        if step.kind == "step" and not step.done
    }
    steps = {name: _Step() for name in stage_of}
    sampled = 0
    for progress in newest:
        sampled += 1
        _count(progress, stage_of, row_of, steps)
        for place, name in told.items():  # without a reply, only the state shows the end
            steps[name].done += progress.steps[place].phase in WAS_DONE
    waiting: Counter[str] = Counter()
    for name, count in in_flight.by_step[version].items():
        waiting[_row(name, row_of)] += count
    return DefinitionFigures(
        definition=definition,
        in_flight=dict(in_flight.by_status[version]),
        sampled=sampled,
        steps=[
            _figures(name, waiting[name], found, answers=name not in told.values())
            for name, found in steps.items()
        ],
    )


def _figures(name: str, in_flight: int, found: _Step, *, answers: bool) -> StepFigures:
    total = found.done + found.failed
    p50, p95 = (quantile(found.durations, share) for share in (0.5, 0.95))
    return StepFigures(
        step=name,
        in_flight=in_flight,
        done=found.done,
        failed=found.failed,
        failure_share=round(found.failed / total, 4) if total and answers else None,
        duration_p50=None if p50 is None else round(p50, 6),
        duration_p95=None if p95 is None else round(p95, 6),
    )


def _count(
    progress: SagaState,
    stage_of: Mapping[str, int],
    row_of: Mapping[str, str],
    steps: Mapping[str, _Step],
) -> None:
    """Add the figures of a saga's steps from its history.

    A step begins when the stages before it are complete: at the last end of one of their steps.
    """
    ends: dict[int, float] = {}
    for entry in progress.history:
        name = _row(entry.step, row_of)
        if entry.event not in ("saga.step_completed", "saga.step_failed") or name not in steps:
            continue
        stage = stage_of[name]
        began = max((at for s, at in ends.items() if s < stage), default=progress.started_at)
        steps[name].durations[bucket_of(max(0.0, entry.at - began))] += 1
        if entry.event == "saga.step_completed":
            steps[name].done += 1
            ends[stage] = entry.at
    failed = _row(progress.failed_step, row_of)
    if failed in steps:
        steps[failed].failed += 1


def _row(name: str, row_of: Mapping[str, str]) -> str:
    """The name of the row that a step is, or is an item of."""
    return row_of.get(name.rpartition("[")[0], name) if name.endswith("]") else name
