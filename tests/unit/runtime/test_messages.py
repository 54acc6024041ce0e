"""Messages are delivered in order, retried once, and never lost silently."""

import copy
import pickle

import pytest
from thespian.actors import (
    ActorAddress,
    ActorExitRequest,
    ActorSystem,
    ActorSystemFailure,
    DeadEnvelope,
    PoisonMessage,
    Thespian_ActorStatus,
    Thespian_StatusReq,
    Thespian_SystemStatus,
)

from order_sagas.system.runtime import EventLoopBase, SeededShuffle, VirtualClock
from tests.unit.runtime.cast import Fragile, Scripted, instance
from tests.unit.runtime.conftest import Start


@pytest.mark.parametrize("policy", [None, SeededShuffle(1), SeededShuffle(2)])
def test_messages_of_one_sender_to_one_receiver_keep_their_order(start: Start, policy) -> None:
    """Under every policy, with other messages in between."""
    system, base = start(policy=policy)
    receiver = system.createActor(Scripted)
    senders = [system.createActor(Scripted) for _ in range(3)]

    def send_all(actor: Scripted, sender: ActorAddress) -> None:
        for number in range(50):
            actor.send(receiver, (str(actor.myAddress), number))

    for sender in senders:
        base.inject(base.systemAddress, sender, send_all)
    base.run_until_idle()

    seen = instance(base, receiver).seen
    for sender in senders:
        assert list(range(50)) == [number for name, number in seen if name == str(sender)]


def test_a_message_that_makes_its_receiver_raise_is_tried_twice_and_returned(start: Start) -> None:
    """The sender gets it back as a PoisonMessage with the traceback."""
    system, _ = start()
    Fragile.attempts.clear()

    answer = system.ask(system.createActor(Fragile), "glass", 1)

    assert ["glass", "glass"] == Fragile.attempts
    assert isinstance(answer, PoisonMessage)
    assert "glass" == answer.poisonMessage
    assert "cannot bear 'glass'" in answer.details


def test_a_retry_does_not_let_later_messages_overtake(start: Start) -> None:
    """The second attempt comes at once."""
    system, base = start()
    Fragile.attempts.clear()
    fragile = system.createActor(Fragile)

    base.inject(base.systemAddress, fragile, 1)
    base.inject(base.systemAddress, fragile, 2)
    base.run_until_idle()

    assert [1, 1, 2, 2] == Fragile.attempts


def test_a_poison_message_that_fails_is_dropped(start: Start) -> None:
    """If its receiver raises, it is not sent again."""
    system, base = start()
    one, other = system.createActor(Fragile), system.createActor(Fragile)

    base.inject(one, other, "glass")

    assert 2 == base.run_until_idle()


def test_messages_to_dead_actors_go_to_the_handler_of_dead_letters(start: Start) -> None:
    """In an envelope with the address, while there is a handler."""
    system, base = start()
    handler, victim = system.createActor(Scripted), system.createActor(Scripted)
    system.tell(victim, ActorExitRequest())
    system.tell(victim, "nobody hears of it")
    system.tell(handler, lambda actor, _: actor.handleDeadLetters())

    system.tell(victim, "late")
    system.tell(handler, lambda actor, _: actor.handleDeadLetters(False))
    system.tell(victim, "nobody hears of this either")

    assert [DeadEnvelope(victim, "late")] == instance(base, handler).seen


def test_an_address_survives_copying_and_pickling(start: Start) -> None:
    """A copy is a plain address, equal to the original, and messages to it arrive."""
    system, base = start()
    address = system.createActor(Scripted)
    copies = [pickle.loads(pickle.dumps(address)), copy.deepcopy([address])[0]]

    for each in copies:
        system.tell(each, "hello")

    assert [address, address] == copies
    assert [ActorAddress, ActorAddress] == [type(each) for each in copies]
    assert ["hello", "hello"] == instance(base, address).seen


@pytest.mark.parametrize("name", ["/A", "/A~7", "/A~x", "/A~0~0", "elsewhere", ""])
def test_an_unknown_address_is_that_of_a_dead_actor(start: Start, name: str) -> None:
    """Sending to it is no error."""
    system, base = start()
    system.createActor(Scripted)

    system.tell(ActorAddress(name), "hello")

    assert [] == base.pending()


def test_systems_of_one_process_can_talk_to_each_other(start: Start) -> None:
    """An address delivers in its own system, and is not that of a namesake in another."""
    one, base = start()
    other, other_base = start()
    here, there = one.createActor(Scripted), other.createActor(Scripted)

    one.tell(here, lambda actor, _: actor.send(there, "hello"))
    other_base.run_until_idle()

    assert here.addressDetails == there.addressDetails
    assert here != there
    assert ([], ["hello"]) == (instance(base, here).seen, instance(other_base, there).seen)


def test_an_interceptor_can_drop_change_and_multiply_messages(start: Start) -> None:
    """It sees each send, and what it returns is delivered in its place."""
    system, base = start()
    address = system.createActor(Scripted)
    fates = {"lost": None, "twice": ["twice", "twice"], "old": ("new",)}

    base.interceptor = lambda sender, receiver, message: fates[message]
    for message in fates:
        system.tell(address, message)
    base.interceptor = None
    system.tell(address, "lost")

    assert ["twice", "twice", "new", "lost"] == instance(base, address).seen


def test_an_actor_and_the_system_answer_status_requests(start: Start) -> None:
    """With what Thespian's own tools can print."""
    system, base = start()
    address = system.createActor(Scripted, globalName="one")
    system.tell(address, lambda actor, _: actor.wakeupAfter(5))

    of_actor = system.ask(address, Thespian_StatusReq(), 1)
    of_system = system.ask(base.systemAddress, Thespian_StatusReq(), 1)

    assert isinstance(of_actor, Thespian_ActorStatus)
    assert ("Scripted", 1) == (of_actor.actorClass, len(of_actor.pendingWakeups))
    assert isinstance(of_system, Thespian_SystemStatus)
    assert {"one": address} == of_system.globalActors


def test_ask_inside_an_actor_raises(start: Start) -> None:
    """It would block the loop that has to deliver the answer."""
    system, _ = start()

    def ask_oneself(actor: Scripted, sender: ActorAddress) -> None:
        with pytest.raises(ActorSystemFailure):
            system.ask(actor.myAddress, "hello", 1)
        actor.send(sender, "refused")

    assert "refused" == system.ask(system.createActor(Scripted), ask_oneself, 1)


def test_pending_messages_can_be_seen() -> None:
    """In the order of delivery, before they are delivered."""
    base = EventLoopBase(threaded=False, clock=VirtualClock())
    address = ActorSystem(base, transientUnique=True).createActor(Scripted)

    base.inject(base.systemAddress, address, "hello")

    assert [(address, base.systemAddress, "hello")] == base.pending()
