"""Roles that have come to different places of a partition that is read once for all of them."""

import pytest

from order_sagas.bridges.processor.role_progress import RoleProgress

PLACE = ("payment-events", 0)
NAMES = {"orchestrator": "group.orchestrator", "payment": "group.payment"}


@pytest.fixture
def progress() -> RoleProgress:
    """The orchestrator has come to 9, the payment role to 4."""
    progress = RoleProgress()
    assert {PLACE: 4} == progress.claimed({PLACE: {"orchestrator": 9, "payment": 4}})
    return progress


def test_a_record_is_for_the_roles_that_have_not_come_to_it(progress: RoleProgress) -> None:
    """Up to the place of the one that is ahead, and for all from there on."""
    assert [["orchestrator"], ["orchestrator"], []] == [
        [*progress.have_handled(PLACE, offset)] for offset in (4, 8, 9)
    ]


def test_the_offset_of_a_role_that_is_ahead_stays_until_the_other_has_caught_up(
    progress: RoleProgress,
) -> None:
    """No role goes back."""
    some, more = {PLACE: (4, 7)}, {PLACE: (7, 12)}
    first = progress.moves(some, NAMES)
    progress.committed(some)
    second = progress.moves(more, NAMES)
    progress.committed(more)

    assert [(*PLACE, "group.payment", 4, 7)] == first
    assert [
        (*PLACE, "group.orchestrator", 9, 12), (*PLACE, "group.payment", 7, 12),
    ] == second  # fmt: skip
    assert {} == progress.ahead


def test_what_is_asked_again_is_moved_from_where_it_is_stored(progress: RoleProgress) -> None:
    """A commit that failed moved nothing."""
    progress.moves({PLACE: (4, 7)}, NAMES)

    assert [(*PLACE, "group.payment", 4, 8)] == progress.moves({PLACE: (4, 8)}, NAMES)
