"""The shape of a saga definition: what a saga in flight depends on, as plain data.

Progress is stored by the places of the steps, and replies are told apart by their classes. So the
shape has the steps in their order with their stages, participants and replies, the pivot, and
which steps can be undone. It has no durations, retry policies or functions: those may change
without a new version.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import msgspec

from order_sagas.actors.sagas.rows import Each

if TYPE_CHECKING:
    from order_sagas.actors.sagas.definition import Saga

# Fields with their default are left out, so that a field that is added here later leaves the
# fingerprints of definitions that do not use it as they are.


class StepShape(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The shape of one step. Replies are names of classes, `to` is the name of the participant."""

    name: str
    stage: int
    to: str
    kind: str = "step"
    do: bool = False
    done: str = ""
    failed: str = ""
    unknown: str = ""
    undo: bool = False
    undone: str = ""
    needs_no_undo: bool = False
    pivot: bool = False
    when: bool = False
    item: str = ""
    in_order: bool = False
    child: str = ""
    """The name of the saga that a `Child` runs."""

    def __str__(self) -> str:
        """Return the step as a person would describe it, on one line."""
        return ", ".join([repr(self.name), *self.facts()])

    def facts(self) -> Iterator[str]:
        """Yield what is known of the step besides its name, each as a few words."""
        yield f"stage {self.stage + 1}"
        if self.kind != "step":
            yield f"a {self.kind}"
        yield f"to {self.to}" if self.do else f"of {self.to}, sends nothing"
        for field in ("done", "failed", "unknown", "undone"):
            if reply := getattr(self, field):
                yield f"{field} {reply}"
        if not self.done and self.do:
            yield "waits for no reply"
        if self.item:
            yield f"items {self.item!r}"
        if self.child:
            yield f"runs {self.child}"
        for field in ("undo", "needs_no_undo", "pivot", "when", "in_order"):
            if getattr(self, field):
                yield field


class SagaShape(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """The shape of one version of a saga definition. `starts_on` is the name of a class."""

    starts_on: str
    steps: tuple[StepShape, ...]

    @property
    def stages(self) -> int:
        """The number of stages."""
        return self.steps[-1].stage + 1

    @property
    def pivot_stage(self) -> int:
        """The index of the stage that contains the pivot; the number of stages if there is none."""
        return next((step.stage for step in self.steps if step.pivot), self.stages)


encode_shape = msgspec.json.Encoder().encode
"""The shape of a definition as JSON."""

decode_shape = msgspec.json.Decoder(SagaShape).decode
"""The shape that `encode_shape` wrote. Raises msgspec.ValidationError for anything else."""


def shape_of(saga: "Saga[Any]") -> SagaShape:
    """Return the shape of a definition."""
    return SagaShape(
        starts_on=saga.starts_on.__name__,
        steps=tuple(
            _step_shape(step, stage)
            for stage, steps in enumerate(saga.stages)
            for step in steps
        ),
    )  # fmt: skip


def fingerprint_of(shape: SagaShape) -> str:
    """Return 16 hexadecimal digits that are equal for equal shapes."""
    return sha256(encode_shape(shape)).hexdigest()[:16]


def difference(before: SagaShape, after: SagaShape) -> list[str]:
    """Return what differs between two shapes: one line for each step. Empty if they are equal."""
    lines = []
    if before.starts_on != after.starts_on:
        lines.append(f"it started on {before.starts_on}, and starts on {after.starts_on}")
    longest = max(len(before.steps), len(after.steps))
    for place in range(longest):
        old = before.steps[place] if place < len(before.steps) else None
        new = after.steps[place] if place < len(after.steps) else None
        if old == new:
            continue
        if old is None:
            lines.append(f"step {place + 1}: was none, is {new}")
        elif new is None:
            lines.append(f"step {place + 1}: was {old}, is none")
        elif old.name != new.name:
            lines.append(f"step {place + 1}: was {old}, is {new}")
        else:
            facts, others = [*old.facts()], [*new.facts()]
            was = ", ".join(fact for fact in facts if fact not in others) or "less"
            now = ", ".join(fact for fact in others if fact not in facts) or "without it"
            lines.append(f"step {place + 1}, {old.name!r}: was {was}, is {now}")
    return lines


def _step_shape(step: Any, stage: int) -> StepShape:
    return StepShape(
        name=step.name,
        stage=stage,
        to=step.to.name,
        kind=step.kind,
        do=step.do is not None,
        done=_name_of(step.done),
        failed=_name_of(step.failed),
        unknown=_name_of(step.unknown),
        undo=step.undo is not None,
        undone=_name_of(step.undone),
        needs_no_undo=step.needs_no_undo,
        pivot=step.pivot,
        when=step.when is not None,
        item=step.item_name if isinstance(step, Each) else "",
        in_order=isinstance(step, Each) and step.in_order,
        child=_child_of(step),
    )


def _name_of(message: type | None) -> str:
    return message.__name__ if message else ""


def _child_of(step: Any) -> str:
    """The name of the saga that a row runs, if it is a `Child`, whose module imports this one."""
    return str(step.runs.name) if step.is_child else ""
