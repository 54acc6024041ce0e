"""The rules that a definition is checked with when it is built."""

from collections.abc import Iterator
from typing import Any, NoReturn

from order_sagas.actors.errors import DefinitionError
from order_sagas.actors.sagas.field_checks import (
    check_duration,
    check_message,
    check_text,
    shown,
)
from order_sagas.actors.sagas.functions import check_takes
from order_sagas.actors.sagas.rows import Each, Wait
from order_sagas.actors.sagas.same_fields import SameFields
from order_sagas.actors.sagas.step import Read, Step
from order_sagas.actors.sagas.table import Table


def check(saga: Table) -> None:
    """Raise DefinitionError, which names the saga and the step, if a rule is broken."""
    check_text("the name of a saga", saga.name)
    version: Any = saga.version
    if type(version) is not int:
        _refuse(saga, f"its version must be a whole number, such as 1, not {shown(version)}")
    check_message(f"saga {saga.name!r}: `starts_on`", saga.starts_on)
    if not saga.name or "/" in saga.name:
        _refuse(saga, "its name must not be empty or hold a '/'")
    if saga.version < 1:
        _refuse(saga, "versions count from 1")
    if not saga.rows:
        _refuse(saga, "needs a step")
    if saga.deadline is not None:
        check_duration(f"saga {saga.name!r}: its deadline", saga.deadline)
    _check_names(saga)
    if sum(step.pivot for step in saga.rows) > 1:
        _refuse(saga, "has more than one pivot")
    for n, stage in enumerate(saga.stages):
        for step in stage:
            _check_place(saga, n, step)
            _check_functions(saga, step)
            _check_classes(saga, step)
            _check_reads(saga, n, step)
    _check_beside_pivot(saga)
    for notice in saga.cancelled:
        what = f"saga {saga.name!r}: `send` of the notice to {notice.to.name!r}"
        check_takes(what, notice.takes, "start, failure", "start, failure, replies")
        if isinstance(notice.send, SameFields):
            notice.send.check(saga.starts_on, what, of_notice=True)


def _refuse(saga: Table, rule: str) -> NoReturn:
    raise DefinitionError(f"saga {saga.name!r}: {rule}")


def _check_names(saga: Table) -> None:
    names = [step.name for step in saga.rows]
    names += [step.item_name for step in saga.rows if step.kind == "each"]
    for name in names:
        if names.count(name) > 1:
            _refuse(saga, f"two steps are named {name!r}")


def _check_place(saga: Table, n: int, step: Step[Any, Any]) -> None:
    if step.do is None and step.done is None and n > 0 and step.kind == "step":
        _refuse(
            saga,
            f"step {step.name!r} has neither `do` nor `done`: only the first row may have none",
        )
    if n < saga.pivot_stage and step.is_child and not (step.undo or step.needs_no_undo):
        _refuse(
            saga,
            f"step {step.name!r} runs a saga with a pivot, which cannot be undone once it has "
            "completed: it must be the pivot, or come after it, or say `needs_no_undo=True`",
        )
    if n < saga.pivot_stage and not (step.undo or step.needs_no_undo):
        _refuse(
            saga,
            f"step {step.name!r} needs an `undo`, "
            "or `needs_no_undo=True`, or to come after a pivot",
        )
    if n > saga.pivot_stage and step.undo and not step.is_child:
        _refuse(saga, f"step {step.name!r} can be undone, so it must come before the pivot")
    if n > saga.pivot_stage and step.failed and step.kind == "wait":
        _refuse(
            saga,
            f"step {step.name!r} comes after the pivot, so it must not be refused: "
            "there is nothing that could be sent again",
        )


def _check_beside_pivot(saga: Table) -> None:
    """Check the steps that are sent together with a pivot that cannot be undone.

    They cannot turn the saga back, because what the pivot does stays done.
    """
    pivot = saga.pivot
    if pivot is None:
        return
    for step in saga.stages[saga.pivot_stage]:
        if step is pivot:
            continue
        beside = f"step {step.name!r} is sent together with the pivot {pivot.name!r}"
        if pivot.undo:
            if not (step.undo or step.needs_no_undo):
                _refuse(saga, f"{beside}, so it needs an `undo`, or `needs_no_undo=True`")
        elif step.failed:
            _refuse(
                saga,
                f"{beside}, which cannot be undone, so it must not fail (`failed`); "
                "let it come before the pivot",
            )
        elif pivot.failed and not (step.undo or step.needs_no_undo):
            _refuse(
                saga,
                f"{beside}, which can fail, so it needs an `undo`, or `needs_no_undo=True`",
            )
        elif step.undo and not pivot.failed:
            _refuse(
                saga,
                f"{beside}, which can neither fail nor be undone, so its `undo` would never be "
                "sent; let it come before the pivot",
            )


def _check_functions(saga: Table, step: Step[Any, Any]) -> None:
    said = f"saga {saga.name!r}: step {step.name!r}: "
    usual = ("start", "start, replies")
    own = ("start, item", "start, item, replies") if step.kind == "each" else usual
    check_takes(f"{said}`do`", step.do_takes, *own)
    check_takes(f"{said}`undo`", step.undo_takes, *own)
    check_takes(f"{said}`ask`", step.ask_takes, *own)
    check_takes(f"{said}`when`", step.when_takes, *usual)
    if isinstance(step, Each):
        check_takes(f"{said}`check`", step.step.check_takes, "start, item, reply")
    else:
        check_takes(f"{said}`check`", step.check_takes, "start, reply")


def _check_classes(saga: Table, step: Step[Any, Any]) -> None:
    """Check the messages that are named by their class."""
    made: dict[str, Any] = {field: getattr(step, field) for field in ("do", "undo", "ask")}
    if isinstance(step, Wait) and step.remind:
        made["remind"] = step.remind.send
    for field, function in made.items():
        if isinstance(function, SameFields):
            function.check(saga.starts_on, f"saga {saga.name!r}: step {step.name!r}: `{field}`")


def _check_reads(saga: Table, n: int, step: Step[Any, Any]) -> None:
    if step.reads and not step.takes_replies:
        _refuse(saga, f"step {step.name!r} has `reads`, but no function of it takes replies")
    known = {*readable(saga, n, step)}
    for read in step.reads:
        rows = named(saga, read)
        word = read if isinstance(read, str) else read.__name__
        if not rows:
            _refuse(saga, f"step {step.name!r} reads {word}, which answers no step")
        if len(rows) > 1:
            names = ", ".join(repr(saga.rows[i].name) for i in rows)
            _refuse(
                saga,
                f"step {step.name!r} reads {word}, which answers several steps ({names}); "
                "name the step in `reads` instead, and ask `replies.of(step, reply)`",
            )
        if not known.issuperset(rows):
            _refuse(saga, f"step {step.name!r} reads {word}, which is not of an earlier step")


def named(saga: Table, read: Read) -> list[int]:
    """The indexes of the rows that give a reply: a class, or the name of a step."""
    return [
        i
        for i, row in enumerate(saga.rows)
        if row.done and (row.name == read if isinstance(read, str) else row.done is read)
    ]


def readable(saga: Table, n: int, step: Step[Any, Any]) -> Iterator[int]:
    """The indexes of the rows whose replies a step of stage `n` can read: earlier, and its own."""
    for stage in saga.stage_steps[:n]:
        for i in stage:
            if saga.rows[i].done:
                yield i
    own = 2 if step.kind == "each" else 1
    if step.done and step.undo_takes > own:
        yield saga.index[step.name]


def kept_replies(saga: Table) -> frozenset[int]:
    """The indexes of the rows whose replies a function of the definition may read."""
    kept: set[int] = set()
    for n, stage in enumerate(saga.stages):
        for step in stage:
            if step.reads:
                kept.update(i for read in step.reads for i in named(saga, read))
            elif step.takes_replies:
                kept.update(readable(saga, n, step))
    if any(notice.takes > 2 for notice in saga.cancelled):
        kept.update(i for i, row in enumerate(saga.rows) if row.done)
    return frozenset(kept)
