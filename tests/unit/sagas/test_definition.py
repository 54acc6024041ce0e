"""A definition that breaks a rule is refused when it is built, with the rule."""

from typing import Any

import pytest

from order_sagas.actors.errors import DefinitionError, UnknownSagaError
from order_sagas.actors.messages import (
    OrderCreated,
    PaymentCompleted,
    PaymentFailed,
    PaymentRolledBack,
    StockReserved,
)
from order_sagas.actors.place_order import PLACE_ORDER, charge, refund
from order_sagas.actors.sagas import (
    ONCE,
    Each,
    Parallel,
    Participant,
    Retry,
    Saga,
    Step,
    hours,
    minutes,
    seconds,
)
from order_sagas.actors.sagas.registry import Registry

SHOP = Participant("shop", topic="shop-events")


def a_step(name: str = "pay", **fields: Any) -> Step[Any, Any]:
    """A valid step, except for `fields`."""
    right = {"do": charge, "done": PaymentCompleted, "within": 30.0, "undo": refund}
    return Step(name, to=SHOP, **{**right, **fields})


def a_pivot(name: str = "pay", **fields: Any) -> Step[Any, Any]:
    """A step with a reply that cannot be undone."""
    return a_step(name, **{"undo": None, "pivot": True, **fields})


def a_saga(*steps: Any, name: str = "shop", version: int = 1) -> Saga[Any]:
    return Saga(name, version, OrderCreated, steps)


ROWS: dict[str, dict[str, Any]] = {
    "a step needs a name": {"name": ""},
    "can fail (`failed`) but never succeed": {
        "done": None, "within": None, "failed": PaymentFailed,
    },
    "needs a deadline (`within`)": {"within": None},
    "waits for no reply": {"done": None},
    "has an `undone` reply but no `undo`": {"undo": None, "undone": PaymentRolledBack},
    "and says that it needs none": {"needs_no_undo": True},
    "`within` must be positive": {"within": 0},
    "`undo_within` must be positive": {"undo_within": -1.0},
}  # fmt: skip


@pytest.mark.parametrize("rule", ROWS)
def test_a_row_that_breaks_a_rule_is_refused(rule) -> None:
    """The message names the step and says the rule."""
    with pytest.raises(DefinitionError) as refused:
        a_step(**ROWS[rule])

    assert rule in str(refused.value)


TABLES = {
    "must not be empty": lambda: a_saga(a_step(), name=""),
    "hold a '/'": lambda: a_saga(a_step(), name="a/b"),
    "versions count from 1": lambda: a_saga(a_step(), version=0),
    "needs a step": lambda: a_saga(),
    "two steps are named 'pay'": lambda: a_saga(a_step(), a_step()),
    "more than one pivot": lambda: a_saga(a_pivot(), a_pivot("again")),
    "has neither `do` nor `done`": lambda: a_saga(
        a_step(), a_step("late", do=None, done=None, within=None)
    ),
    "needs an `undo`": lambda: a_saga(a_step(undo=None)),
    "must come before the pivot": lambda: a_saga(a_pivot(), a_step("late")),
    "two steps or more": lambda: a_saga(Parallel(a_step())),
}


@pytest.mark.parametrize("rule", TABLES)
def test_a_table_that_breaks_a_rule_is_refused(rule) -> None:
    """The message says the rule."""
    with pytest.raises(DefinitionError) as refused:
        TABLES[rule]()

    assert rule in str(refused.value)


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"backoff": -1.0}, {"factor": 0.5}, {"longest": -1}, {"jitter": 2}]
)
def test_an_invalid_retry_policy_is_refused(wrong) -> None:
    """At once, and not at the first timeout."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        Retry(**wrong)


def test_durations_are_seconds() -> None:
    """In any unit."""
    assert (90.0, 90.0, 5400.0) == (seconds(90.0), minutes(1.5), hours(1.5))


def test_backoff_grows_up_to_its_longest_and_ends_with_the_attempts() -> None:
    """Without jitter it is exactly this."""
    retry = Retry(attempts=5, backoff=1.0, factor=3.0, longest=10.0, jitter=0.0)

    assert [1.0, 3.0, 9.0, 10.0, None] == [retry.wait_after(n, "any") for n in range(1, 6)]
    assert ONCE.wait_after(1, "any") is None


def test_jitter_differs_between_sagas_and_repeats_for_each() -> None:
    """A thousand sagas do not check_reachable together, and a replay waits the same."""
    retry = Retry(backoff=1.0, jitter=0.5)
    waits = [retry.wait_after(1, f"saga/{n}") for n in range(1000)]

    assert waits == [retry.wait_after(1, f"saga/{n}") for n in range(1000)]
    assert len(set(waits)) > 990
    assert all(wait and 0.5 <= wait <= 1.0 for wait in waits)


def test_a_scaled_saga_has_every_duration_scaled() -> None:
    """For demonstrations; everything else stays the same."""
    scaled = PLACE_ORDER.scaled(0.1)

    assert [3.0, 1.0] == [row.within for row in scaled.rows if row.within]
    assert [0.05] * 5 == [row.retry.backoff for row in scaled.rows]
    assert PLACE_ORDER.stage_steps == scaled.stage_steps
    assert PLACE_ORDER.pivot_stage == scaled.pivot_stage


def test_a_parallel_group_survives_scaling() -> None:
    """It stays one stage."""
    saga = a_saga(Parallel(a_step("a"), a_step("b")), a_step("c")).scaled(2)

    assert ((0, 1), (2,)) == saga.stage_steps
    assert [60.0] * 3 == [row.within for row in saga.rows]


def test_a_registry_begins_with_the_newest_version_and_keeps_the_old() -> None:
    """A running saga keeps the definition that it began with."""
    old, new = a_saga(a_step()), a_saga(a_step(), a_step("more", done=StockReserved), version=2)
    registry = Registry([new, old])

    assert (new, old) == (registry.started_by[OrderCreated], registry.get("shop", 1))
    with pytest.raises(UnknownSagaError, match=r"version 3 of 'shop'; registered here: \[1, 2\]"):
        registry.get("shop", 3)


def test_a_registry_refuses_ambiguous_definitions() -> None:
    """Two of one version, and two sagas that one message starts."""
    with pytest.raises(DefinitionError, match="version 1 comes twice"):
        Registry([a_saga(a_step()), a_saga(a_step())])
    with pytest.raises(DefinitionError, match="starts both"):
        Registry([a_saga(a_step()), a_saga(a_step(), name="other")])


def test_rows_name_the_start_they_are_for() -> None:
    """In an annotation, also at run time; omitted types are Any."""
    assert Step[OrderCreated, Any] == Step[OrderCreated]
    assert Each[OrderCreated, Any] == Each[OrderCreated]
    assert Saga[OrderCreated] != Saga[Any]
