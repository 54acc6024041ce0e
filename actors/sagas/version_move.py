"""Moves the state of a saga in flight from one version of its definition to another.

A pure function. A saga is moved only if what is under way stays as it is: the steps that wait for a
reply wait for the same one, what was done stands before them, and the pivot stays on the same side.
"""

from typing import Any

import msgspec
from msgspec.structs import replace

from order_sagas.actors.errors import CannotMoveError
from order_sagas.actors.sagas.definition import Each, Saga
from order_sagas.actors.sagas.shape import SagaShape, StepShape, shape_of
from order_sagas.actors.sagas.state import (
    DONE,
    FAILED,
    IDLE,
    NO_DEADLINE,
    NOT_STARTED,
    SKIPPED,
    UNDONE,
    HistoryEntry,
    Phase,
    SagaState,
    StepState,
)
from order_sagas.actors.sagas.step_mapping import StepMapping, new_places
from order_sagas.actors.sagas.transition import GOING, UNDOING

MOVED = "saga.moved"
"""The event of the history when a saga was moved to another version."""


class VersionMove:
    """Moves sagas of one version to another one.

    `before` is the shape of the version that they were begun with. Raises DefinitionError if the
    mapping leaves open what becomes of a step of either version.
    """

    def __init__(
        self, before: SagaShape, version: int, target: Saga[Any], mapping: StepMapping
    ) -> None:
        self.target = target
        self.version = version
        self._before = before
        self._after = shape_of(target)
        self._mapping = mapping
        self._places = new_places(before, target, mapping)

    def moved(self, saga: SagaState, by: str, now: float) -> SagaState:
        """The state of the saga in the other version, with the move in its history.

        `saga` is a state whose `start` and replies are plain data, as they stay. `now` is in
        seconds since the Unix epoch. Raises CannotMoveError, which says why.
        """
        target = self.target
        self._check_start(saga)
        steps, touched = self._mapped(saga)
        stage = self._stage(saga, touched)
        self._check_sides(saga, stage)
        self._check_order(saga, steps, touched, stage)
        self._skip_added(steps, stage)
        self._check_replies(saga, steps)
        rows = len(self._before.steps)
        note = f"from version {self.version} to {target.version} by {by}"
        return replace(
            saga,
            version=target.version,
            stage=stage,
            steps=(*steps, *saga.steps[rows:]),
            items=tuple(self._row_of_items(row) for row in saga.items),
            seq=saga.seq + 1,
            failed_step=self._renamed(saga.failed_step),
            history=(*self._history(saga), HistoryEntry(now, MOVED, note=note)),
            replies=self._kept(saga),
            due=saga.due if target.deadline else NO_DEADLINE,
        )

    def _check_start(self, saga: SagaState) -> None:
        try:
            msgspec.convert(saga.start, self.target.starts_on)
        except (msgspec.ValidationError, ValueError) as error:
            raise CannotMoveError(
                f"its start is no {self.target.starts_on.__name__}: {error}"
            ) from (error)

    def _mapped(self, saga: SagaState) -> tuple[list[StepState], dict[int, StepShape]]:
        """The states in their new places, and the former shape of each step that is not idle."""
        steps = [NOT_STARTED] * len(self.target.rows)
        touched: dict[int, StepShape] = {}
        for i, shape in enumerate(self._before.steps):
            place, state = self._places[i], saga.steps[i]
            if place is None:
                self._check_removed(shape, state, i in saga.items)
                continue
            steps[place] = state
            if state.phase == IDLE:
                continue
            touched[place] = shape
            after = self._after.steps[place]
            if (shape.kind, shape.item) != (after.kind, after.item):
                raise CannotMoveError(f"step {shape.name!r} was a {shape.kind}, is a {after.kind}")
            if state.phase in (*GOING, *UNDOING):
                self._check_reply(shape, after, state.phase in UNDOING)
        return steps, touched

    def _check_removed(self, shape: StepShape, state: StepState, has_items: bool) -> None:
        if state.phase in (IDLE, SKIPPED):
            return
        if state.phase not in (DONE, UNDONE) or has_items:
            raise CannotMoveError(
                f"step {shape.name!r} is {_words(state)}, and version {self.target.version} has no "
                "such step"
            )
        if shape.undo:
            raise CannotMoveError(
                f"step {shape.name!r} is {_words(state)}, and version {self.target.version} has no "
                "such step that could undo it"
            )

    def _check_reply(self, before: StepShape, after: StepShape, undoing: bool) -> None:
        """What is under way is answered by the same participant with the same messages."""
        for field in ("to", "undone") if undoing else ("to", "done", "failed", "unknown"):
            was, now = getattr(before, field), getattr(after, field)
            if was != now:
                raise CannotMoveError(
                    f"step {before.name!r} is under way, and its `{field}` was {was or 'none'}, "
                    f"is {now or 'none'}"
                )

    def _stage(self, saga: SagaState, touched: dict[int, StepShape]) -> int:
        """The stage of the steps that are under way."""
        under_way = UNDOING if saga.code else GOING
        states = dict(zip(self._places, saga.steps, strict=False))
        places = [place for place in touched if states[place].phase in under_way]
        others = [place for place in touched if states[place].phase in (*GOING, *UNDOING)]
        if not places or len(others) > len(places):
            raise CannotMoveError("it is between going on and going back: try again later")
        stages = {self._after.steps[place].stage for place in places}
        if len(stages) > 1:
            names = " and ".join(repr(touched[place].name) for place in places)
            raise CannotMoveError(
                f"steps {names} are under way together, and version {self.target.version} has them "
                "one after the other"
            )
        return stages.pop()

    def _check_sides(self, saga: SagaState, stage: int) -> None:
        before = _side(saga.stage, self._before)
        after = _side(stage, self._after)
        if before != after:
            raise CannotMoveError(
                f"it is {before} the pivot, and would be {after} the pivot of version "
                f"{self.target.version}"
            )

    def _check_order(
        self, saga: SagaState, steps: list[StepState], touched: dict[int, StepShape], stage: int
    ) -> None:
        """What is before the current stage is done; what is after it is not begun, or undone."""
        later = (IDLE, SKIPPED, UNDONE, FAILED) if saga.code else (IDLE, SKIPPED)
        for place in [place for place in self._places if place is not None]:
            shape, state = self._after.steps[place], steps[place]
            name = repr(shape.name)
            if shape.stage < stage and state.phase not in (DONE, SKIPPED):
                raise CannotMoveError(
                    f"step {name} is {_words(state)}, and version {self.target.version} has it "
                    "before what is under way"
                )
            if shape.stage == stage and state.phase == IDLE:
                raise CannotMoveError(
                    f"step {name} is not begun, and version {self.target.version} sends it "
                    "together with what is under way"
                )
            if shape.stage > stage and state.phase not in later:
                raise CannotMoveError(
                    f"step {name} is {_words(state)}, and version {self.target.version} has it "
                    "after what is under way"
                )
            passed = state.phase == UNDONE and place in touched and not touched[place].undo
            if passed and shape.undo:
                raise CannotMoveError(
                    f"the compensation has passed step {name}, which had no undo, and has one in "
                    f"version {self.target.version}"
                )

    def _skip_added(self, steps: list[StepState], stage: int) -> None:
        for place, shape in enumerate(self._after.steps):
            if place in self._places or shape.stage > stage:
                continue
            if shape.name in self._mapping.required or shape.pivot:
                raise CannotMoveError(f"it is past step {shape.name!r}, which must not be skipped")
            steps[place] = StepState(SKIPPED)

    def _check_replies(self, saga: SagaState, steps: list[StepState]) -> None:
        known = {self._renamed(name) for name in saga.replies or ()}
        for place in sorted(self.target.kept):
            row = self.target.rows[place]
            done = steps[place].phase == DONE and not isinstance(row, Each)
            if done and row.done and row.name not in known:
                raise CannotMoveError(
                    f"version {self.target.version} reads the reply of step {row.name!r}, and "
                    f"version {self.version} did not keep it"
                )

    # --- names --------------------------------------------------------------------------------

    def _renamed(self, name: str) -> str:
        return self._mapping.renamed.get(name, name)

    def _row_of_items(self, row: int) -> int:
        place = self._places[row]
        assert place is not None  # a row with items is not removed
        return place

    def _history(self, saga: SagaState) -> list[HistoryEntry]:
        renamed = self._mapping.renamed
        return [
            replace(entry, step=renamed[entry.step]) if entry.step in renamed else entry
            for entry in saga.history
        ]

    def _kept(self, saga: SagaState) -> dict[str, Any] | None:
        if not saga.replies:
            return saga.replies
        removed = self._mapping.removed
        return {
            self._renamed(name): reply
            for name, reply in saga.replies.items()
            if name not in removed
        }  # fmt: skip


def _side(stage: int, shape: SagaShape) -> str:
    if stage == shape.pivot_stage:
        return "at"
    return "before" if stage < shape.pivot_stage else "past"


def _words(state: StepState) -> str:
    return Phase(state.phase).name.lower().replace("_", " ")
