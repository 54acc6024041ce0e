"""Creation, names, children and exit of actors."""

from datetime import timedelta
from typing import Any

import pytest
from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ActorSystemFailure,
    ChildActorExited,
    NoCompatibleSystemForActor,
    requireCapability,
)

from tests.unit.runtime.cast import FailsToStart, Recorder, Scripted, instance
from tests.unit.runtime.conftest import Start


@pytest.fixture
def log() -> list[Any]:
    """What the Recorders of this test have recorded."""
    Recorder.log = []
    return Recorder.log


def _child(system, parent: ActorAddress, cls: type = Scripted) -> ActorAddress:
    return system.ask(parent, lambda actor, sender: actor.send(sender, actor.createActor(cls)), 1)


def test_children_exit_before_their_parent(start: Start, log: list[Any]) -> None:
    """The parent is asked first, exits last, and is notified of each child."""
    system, base = start()
    parent = system.createActor(Scripted)
    child = _child(system, parent)
    grandchild = _child(system, child, Recorder)
    system.tell(grandchild, "grandchild")
    heard: list[Any] = []
    instance(base, parent).seen = instance(base, child).seen = heard

    system.tell(parent, ActorExitRequest())

    assert [("grandchild", "ActorExitRequest")] == log
    assert [
        ActorExitRequest,
        ActorExitRequest,
        ChildActorExited,
        ChildActorExited,
    ] == [type(message) for message in heard]
    assert [grandchild, child] == [message.childAddress for message in heard[2:]]
    assert [] == base.actors()


def test_children_keep_running_if_the_exit_is_not_recursive(start: Start) -> None:
    """They keep running, and the system can still end them."""
    system, base = start()
    parent = system.createActor(Scripted)
    child = _child(system, parent)

    system.tell(parent, ActorExitRequest(recursive=False))
    system.tell(child, "still there?")

    assert [child] == [actor.address for actor in base.actors()]
    assert ["still there?"] == instance(base, child).seen
    system.tell(child, ActorExitRequest())
    assert [] == base.actors()


def test_children_of_a_dead_child_exit_before_its_parent(start: Start) -> None:
    """Their own parent is dead, but they are waited for nevertheless."""
    system, base = start()
    parent = system.createActor(Scripted)
    child = _child(system, parent)
    orphans = [_child(system, child) for _ in range(2)]
    system.tell(child, ActorExitRequest(recursive=False))
    assert {str(parent), *map(str, orphans)} == {str(actor.address) for actor in base.actors()}

    system.tell(parent, ActorExitRequest())

    assert [] == base.actors()
    assert not base.root.children


def test_an_actor_that_waits_for_its_children_handles_no_messages(start: Start) -> None:
    """Messages to it become dead letters."""
    system, base = start()
    handler = system.createActor(Scripted)
    system.tell(handler, lambda actor, _: actor.handleDeadLetters())
    parent = system.createActor(Scripted)
    _child(system, parent)

    base.inject(handler, parent, ActorExitRequest())
    base.inject(handler, parent, "too late")
    base.run_until_idle()

    assert ["too late"] == [each.deadMessage for each in instance(base, handler).seen]


def test_an_exiting_actor_can_create_no_children(start: Start) -> None:
    """Otherwise one that replaces every lost child would never exit."""
    system, base = start()

    class Stubborn(Scripted):
        def receiveMessage(self, message: Any, sender: ActorAddress) -> None:
            if isinstance(message, ChildActorExited):
                self.createActor(Scripted)
            else:
                super().receiveMessage(message, sender)

    parent = system.createActor(Stubborn)
    _child(system, parent)

    system.tell(parent, ActorExitRequest())

    assert [] == base.actors()


def test_child_actor_exited_comes_after_all_messages_of_the_child(start: Start) -> None:
    """It is sent by the child, so no policy delivers it before earlier messages."""
    system, base = start()
    parent = system.createActor(Scripted)
    child = _child(system, parent)

    def leave(actor: Scripted, sender: ActorAddress) -> None:
        actor.send(parent, "goodbye")
        actor.send(actor.myAddress, ActorExitRequest())

    system.tell(child, leave)

    assert ["goodbye", ChildActorExited(child)] == instance(base, parent).seen


def test_a_child_whose_creation_fails_is_reported_as_exited(start: Start) -> None:
    """Its address is returned nevertheless, as Thespian promises."""
    system, base = start()
    parent = system.createActor(Scripted)

    child = _child(system, parent, FailsToStart)

    assert [ChildActorExited(child)] == instance(base, parent).seen
    assert [parent] == [actor.address for actor in base.actors()]


def test_a_primary_actor_whose_creation_fails_raises(start: Start) -> None:
    """With the exception of its `__init__`; nothing is left of it."""
    system, base = start()

    with pytest.raises(ValueError, match="no"):
        system.createActor(FailsToStart)

    assert [] == base.actors()


def test_sys_exit_ends_the_actor_with_its_children_and_nothing_else(start: Start) -> None:
    """As it ends the process of the actor on a multi-process base."""
    system, base = start()
    parent = system.createActor(Scripted)
    child = _child(system, parent)
    _child(system, child)

    def leave(actor: Scripted, sender: ActorAddress) -> None:
        raise SystemExit

    system.tell(child, leave)

    assert [ChildActorExited(child)] == instance(base, parent).seen
    assert [parent] == [actor.address for actor in base.actors()]


def test_nothing_is_left_of_actors_that_exited(start: Start) -> None:
    """Neither registry entries, nor timers, nor names, nor messages."""
    system, base = start()
    parent = system.createActor(Scripted)

    def raise_a_crowd(actor: Scripted, sender: ActorAddress) -> None:
        actor.wakeupAfter(1)
        for number in range(2_000):
            child = actor.createActor(Scripted, globalName=f"child {number}")
            actor.send(child, lambda child, _: child.wakeupAfter(timedelta(days=1)))
            actor.send(child, ActorExitRequest())

    system.tell(parent, raise_a_crowd)

    assert [parent] == [timer.address for timer in base.timers()]
    assert ([], {}) == (base.pending(), base.names)
    assert [parent] == [actor.address for actor in base.actors()]
    assert len(base.timer_heap._heap) < 600


def test_a_global_name_is_unique_and_free_after_exit(start: Start) -> None:
    """A second creation gives the first actor's address."""
    system, _ = start()
    first = system.createActor(Scripted, globalName="the one")

    second = system.createActor(Recorder, globalName="the one")
    system.tell(first, ActorExitRequest())
    third = system.createActor(Scripted, globalName="the one")

    assert first == second
    assert first != third


def test_capabilities_decide_whether_an_actor_can_be_created(start: Start) -> None:
    """They can be set, added and removed."""
    system, _ = start(capabilities={"colour": "red"})
    red = requireCapability("colour", "red")(type("Red", (Scripted,), {}))

    assert system.createActor(red)
    system.updateCapability("colour", None)
    with pytest.raises(NoCompatibleSystemForActor):
        system.createActor(red)


def test_a_crash_runs_no_code(start: Start, log: list[Any]) -> None:
    """No actor is notified; messages and timers are dropped, and sending has no effect."""
    system, base = start()
    recorder = system.createActor(Recorder)
    system.tell(recorder, "recorder")
    base.inject(base.systemAddress, recorder, "never delivered")

    base.crash()
    system.tell(recorder, "never sent")

    assert [] == log
    assert ([], [], []) == (base.actors(), base.pending(), base.timers())
    assert system.ask(recorder, "anyone?", 1) is None
    with pytest.raises(ActorSystemFailure):
        system.createActor(Scripted)


def test_a_shutdown_lets_actors_handle_earlier_messages(start: Start, log: list[Any]) -> None:
    """Exit requests are queued behind them."""
    system, base = start()
    recorder = system.createActor(Recorder)
    system.tell(recorder, "recorder")
    base.inject(base.systemAddress, recorder, "last order")

    system.shutdown()

    assert [("recorder", "last order"), ("recorder", "ActorExitRequest")] == log
    assert base.closed
    assert base.actors() == []
