"""Slots for long requests: one caller cannot take all."""

from contextlib import ExitStack

import pytest

from order_sagas.bridges.http.problems import Problem
from order_sagas.bridges.http.server.caller_slots import CallerSlots
from order_sagas.bridges.http.server.tokens import Caller, Role


def take_all(slots: CallerSlots, caller: Caller, opened: ExitStack) -> int:
    """Take slots until none is free for the caller; return how many it got."""
    count = 0
    while True:
        try:
            opened.enter_context(slots.taken(caller))
        except Problem:
            return count
        count += 1


def test_a_reader_gets_a_quarter_and_all_readers_three() -> None:
    """The rest is for those who operate."""
    slots = CallerSlots(8, "clients listen")
    with ExitStack() as opened:
        readers = [take_all(slots, Caller(f"r{i}", Role.READ), opened) for i in range(4)]
        operators = take_all(slots, Caller("shop", Role.OPERATE), opened)

    assert ([2, 2, 2, 0], 2) == (readers, operators)


def test_a_slot_is_free_again_afterwards() -> None:
    """Also after an error. A caller without a slot gets Retry-After."""
    slots, reader = CallerSlots(4, "clients listen"), Caller("r", Role.READ)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), slots.taken(reader):
            raise ZeroDivisionError

    with ExitStack() as opened:
        assert 1 == take_all(slots, reader, opened)
        with pytest.raises(Problem) as refused, slots.taken(reader):
            pass
    assert (503, "10") == (refused.value.status, refused.value.headers["Retry-After"])
